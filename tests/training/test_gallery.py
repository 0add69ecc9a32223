"""Gallery: a page that is whole, the same every time, and safe to open."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import yaml
from click.testing import CliRunner

import care_zoo
from care_runtime import package
from care_runtime.errors import ExportError, FileError
from care_training import gallery, zoo
from care_training.cli import main
from care_training.gallery import markdown, web
from care_training.gallery.entry import Entry

NAME = "denoise_widefield"
EVIL = '"><script>alert(1)</script>'
VOID = {"meta", "link", "img", "input", "br", "hr"}


class Reader(HTMLParser):
    """Keeps elements with their attributes, and checks that all are closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag, key):
        return [a[key] for t, a in self.elements if t == tag and key in a]


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def model():
    return package.read_folder(care_zoo.MODELS / NAME)


@pytest.fixture(scope="module")
def written(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("gallery")
    gallery.write([model], folder)
    return folder


@pytest.fixture(scope="module")
def page(written):
    return Reader((written / "index.html").read_text("utf-8"))


def changed(folder, model, name, **values):
    """Copy a package under another name, with another description."""
    target = folder / name
    shutil.copytree(model.folder, target)
    path = target / "rdf.yaml"
    found = yaml.safe_load(path.read_text("utf-8"))
    care = values.pop("care", {})
    found["config"]["care"].update(care)
    path.write_text(yaml.safe_dump(found | values), "utf-8")
    return package.read_folder(target)


def test_every_file_it_asks_for_is_there_and_none_else(written, page):
    asked = {
        address
        for tag, key in (("img", "src"), ("script", "src"), ("link", "href"))
        for address in page.all(tag, key)
        if not address.startswith("data:")
    }
    assert asked | {"index.html"} == set(files(written))
    assert all((written / address).is_file() for address in asked)


def test_asks_nothing_of_the_outside(written, page):
    loaded = [
        a.get("src", a.get("href", ""))
        for tag, a in page.elements
        if tag in {"img", "script", "link", "source", "iframe", "object", "embed"}
    ]
    assert not [a for a in loaded if re.match(r"(https?:)?//", a)]
    links = [a for a in page.all("a", "href") if not a.startswith("#")]
    assert links
    assert all(a.startswith("https://") for a in links)
    for name in ("gallery/style.css", "gallery/page.js"):
        assert b"http" not in (written / name).read_bytes()
    (policy,) = [a["content"] for _, a in page.elements if "http-equiv" in a]
    assert "connect-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy


def test_has_no_script_or_style_inside(page):
    assert all("src" in a for tag, a in page.elements if tag == "script")
    assert "style" not in {tag for tag, _ in page.elements}
    keys = {key for _, a in page.elements for key in a}
    assert not [key for key in keys if key.startswith("on") or key == "style"]


def test_says_what_a_person_must_know(page, model):
    text = " ".join(" ".join(page.words).split())
    care = model.spec.care
    for said in (
        NAME,
        care.training["data"],
        model.spec.description,
        "BSD-3-Clause",
        f"care-run restore image.tif -m {NAME} -o restored.tif",
        f'care_runtime.load("{NAME}")',
        f"modelPath=[{NAME}]",
        "Gaussian (2)",
        "32.68",
        "Nature Methods 15",
        "Do not measure intensities",
    ):
        assert said in text, said
    first = text.index("Trained on real data.")
    assert first < text.index("PSNR dB", first)
    assert "https://doi.org/10.1038/s41592-018-0216-7" in page.all("a", "href")


def test_ids_are_unique_and_what_is_referred_to_exists(page):
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, a in page.elements:
        assert a.get("aria-labelledby", ids[0]) in ids
    inner = {a[1:] for a in page.all("a", "href") if a.startswith("#") and a != "#"}
    assert inner == {NAME, "page-models"}
    sliders = [a for _, a in page.elements if a.get("role") == "slider"]
    assert sliders
    assert all(
        {"tabindex", "aria-label", "aria-valuemin", "aria-valuenow"} <= set(a)
        for a in sliders
    )
    assert all(alt for alt in page.all("img", "alt"))


def test_is_the_same_every_time(written, model, tmp_path):
    gallery.write([model], tmp_path)
    gallery.write([model], tmp_path)  # over what was there
    assert files(tmp_path) == files(written)


def test_malicious_descriptions_are_text(tmp_path, model):
    training = {
        "origin": EVIL,
        "data": EVIL,
        "scores": {EVIL: {"network": {EVIL: 1.0}, EVIL: {EVIL: EVIL}}},
    }
    bad = changed(
        tmp_path,
        model,
        "'><img src=x onerror=alert(1)>",
        description=EVIL,
        license=EVIL,
        tags=[EVIL],
        cite=[{"text": EVIL, "url": "javascript:alert(1)"}, {"text": "x", "doi": EVIL}],
        care={"task": EVIL, "training": training},
    )
    card = bad.folder / "README.md"
    card.write_text(
        f"# {EVIL}\n\n{EVIL} [x](javascript:alert(1)) ![y](https://e.org/a.png)\n\n"
        f"- {EVIL}\n\n| {EVIL} |\n|---|\n| `{EVIL}` |\n\n    {EVIL}\n",
        "utf-8",
    )
    gallery.write([bad, model], tmp_path / "out")
    page = Reader((tmp_path / "out/index.html").read_text("utf-8"))
    assert page.all("script", "src") == ["gallery/page.js"]
    assert all(src.startswith("gallery/") for src in page.all("img", "src"))
    assert not [a for _, a in page.elements if "onerror" in a]
    assert not [a for a in page.all("a", "href") if a.startswith("javascript")]
    assert EVIL in "".join(page.words)
    commands = Entry(bad, bad.folder.name).commands
    # A shell and a macro see one word.
    assert "-m ''\"'\"'><img src=x onerror=alert(1)>' -o" in commands[0][1]


def test_files_outside_a_package_are_not_shown(tmp_path, model):
    (tmp_path / "secret.md").write_text("secret", "utf-8")
    (tmp_path / "secret.png").write_bytes(b"secret")
    bad = changed(tmp_path, model, "bad", documentation="../secret.md", covers=[])
    assert Entry(bad, "bad").card == ""
    bad = changed(tmp_path, model, "worse", covers=["../secret.png"])
    with pytest.raises(FileError, match="inside the package"):
        gallery.write([bad], tmp_path / "out")


def test_two_packages_of_one_name_are_refused(tmp_path, model):
    with pytest.raises(ExportError, match="twice"):
        gallery.write([model, model], tmp_path)


def test_replaces_nothing_but_a_gallery(tmp_path, model):
    mine = tmp_path / "gallery" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(ExportError, match="no gallery"):
        gallery.write([model], tmp_path)
    assert mine.read_text() == "mine"


def test_a_failure_leaves_the_page_that_was_there(written, model, tmp_path):
    shutil.copytree(written, tmp_path / "page")
    bad = changed(tmp_path, model, "bad", covers=["none.png"])
    with pytest.raises(FileError, match=r"none\.png"):
        gallery.write([bad], tmp_path / "page")
    assert files(tmp_path / "page") == files(written)


def test_links_to_the_archive_if_it_lies_there(tmp_path, model):
    archive = tmp_path / NAME / f"{model.spec.care.version}.zip"
    package.pack(model.folder, archive)
    gallery.write([model], tmp_path)
    page = Reader((tmp_path / "index.html").read_text("utf-8"))
    assert f"{NAME}/{model.spec.care.version}.zip" in page.all("a", "href")


def test_scores_come_by_condition(tmp_path, model):
    scores = {
        dose: {"input": {"psnr": 10}, "network": {"psnr": 20.126, "SEG": 0.5}}
        for dose in ("C1", "C2")
    }
    found = changed(tmp_path, model, "doses", care={"training": {"scores": scores}})
    first, second = Entry(found, "doses").scores
    assert (first.condition, second.condition) == ("C1", "C2")
    assert first.heads == ("method", "PSNR dB", "SEG")
    assert first.rows == (("input", "10.00", ""), ("network", "20.13", "0.500"))


def test_web_assets_must_be_the_pinned_ones(tmp_path, model):
    with pytest.raises(FileError, match=r"none: npm pack onnxruntime-web@"):
        gallery.write([model], tmp_path / "out", web_assets=tmp_path)
    (tmp_path / "ort.wasm.min.js").write_text("alert(1)")
    with pytest.raises(FileError, match="another file"):
        gallery.write([model], tmp_path / "out", web_assets=tmp_path)


def test_says_which_models_do_not_run_in_a_page(tmp_path, model):
    assert web.reason(model) == ""
    recipe = web.recipe(model)
    assert recipe["percentiles"] == (2.0, 99.8)
    assert recipe["halo"] == {"y": 46, "x": 46}
    tiling = model.spec.care.to_dict()["tiling"] | {"whole": ["y"]}
    whole = changed(tmp_path, model, "whole", care={"tiling": tiling})
    assert web.recipe(whole)["tile"] == {"y": None, "x": 512}
    spec = model.spec
    second = replace(spec.input, id="second")
    for other, why in (
        (replace(spec, care=None), "Another project"),
        (replace(spec, inputs=(spec.input, second)), "several images"),
    ):
        assert why in web.reason(replace(model, spec=other))


@pytest.mark.parametrize("folder", zoo.packages(), ids=lambda folder: folder.name)
def test_says_what_a_volume_would_take(folder):
    """The memory of a tile, which is why it is not offered, is worth telling."""
    told = web.reason(package.read_folder(folder))
    if told:
        assert 0.3 < float(re.search(r"about (\S+) GB", told)[1]) < 30


def test_markdown():
    text = (
        "# A\n\none **two** `<b>` [x](https://e.org) <https://f.org>\n\n- a\n  b\n- c"
    )
    assert markdown.html(text, 2) == (
        "<h2>A</h2>\n<p>one <strong>two</strong> <code>&lt;b&gt;</code> "
        '<a href="https://e.org" rel="noopener noreferrer">x</a> '
        '<a href="https://f.org" rel="noopener noreferrer">https://f.org</a></p>\n'
        "<ul><li>a b</li><li>c</li></ul>"
    )


def test_the_command(tmp_path):
    done = CliRunner().invoke(main, ["gallery", str(tmp_path), "--models", NAME])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "index.html").is_file()
