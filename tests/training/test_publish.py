"""Publishing: a folder that any server can hold, of which nothing ever changes."""

from __future__ import annotations

import json
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnx
import pytest
import tifffile
from click.testing import CliRunner

import care_zoo
from care_runtime import bundle, sources, store
from care_runtime import package as package_
from care_runtime.cli import main as care_run
from care_runtime.engine import Engine
from care_runtime.errors import CareError, ExportError, FileError, SourceWarning
from care_runtime.verify import verify
from care_training import edition, half
from care_training.cli import main as care_train
from care_training.publish import publish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "denoise_widefield"


def run(command: Any, *words: Any) -> Any:
    return CliRunner().invoke(command, [str(word) for word in words])


def version(folder: Path, name: str, version: str) -> Path:
    """Copy the bundled package under a name and version of its own."""
    place = folder / version / name
    shutil.copytree(care_zoo.MODELS / MODEL, place)
    text = (place / "rdf.yaml").read_text("utf-8")
    for old, new in ((": 1.0.0\n", f": {version}\n"), (f": {MODEL}\n", f": {name}\n")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    (place / "rdf.yaml").write_text(text, "utf-8")
    return place


class Served(NamedTuple):
    folder: Path
    address: str
    stop: Any


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Serve a zoo of two models, one of them in two versions."""
    monkeypatch.setenv("CARE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CARE_ZOO", raising=False)
    folder = tmp_path / "zoo"
    publish(folder, [care_zoo.MODELS / MODEL])
    publish(folder, [version(tmp_path, "mine", v) for v in ("1.10.0", "1.9.0")])
    handler = partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def stop() -> None:
        if thread.is_alive():
            server.shutdown()
            server.server_close()
            thread.join()

    yield Served(folder, f"http://127.0.0.1:{server.server_address[1]}", stop)
    stop()


def test_the_published_folder(served: Served) -> None:
    files = {p.relative_to(served.folder).as_posix() for p in served.folder.rglob("*")}
    zips = {f"{MODEL}/1.0.0.zip", "mine/1.9.0.zip", "mine/1.10.0.zip"}
    assert files == {"registry.txt", "index.json", MODEL, "mine", *zips}
    (own,) = (entry for entry in store.sources.own() if entry.name == MODEL)
    lines = (served.folder / "registry.txt").read_text("utf-8").splitlines()
    assert lines[0] == f"{own.file} sha256:{own.sha256}"
    index = json.loads((served.folder / "index.json").read_text("utf-8"))
    about = {model["file"]: model for model in index["models"]}
    assert set(about) == zips
    mine = about["mine/1.9.0.zip"]
    assert mine["size"] == (served.folder / "mine" / "1.9.0.zip").stat().st_size
    assert (mine["task"], mine["axes"]) == ("denoising", "BCYX")
    assert mine["license"]


def test_a_version_is_never_replaced(served: Served, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in served.folder.rglob("*.*") if p.is_file()}
    again = version(tmp_path / "again", "mine", "1.9.0")
    publish(served.folder, [again])  # the same content
    (again / "README.md").write_text("other")
    with pytest.raises((ExportError, FileError), match=r"1\.9\.0") as error:
        publish(served.folder, [again])
    assert "raise its version (--version X.Y.Z, or config.care.v" in str(error.value)
    (served.folder / "registry.txt").unlink()  # not even if the list is lost
    with pytest.raises(ExportError, match="raise its version"):
        publish(served.folder, [again])
    before.pop(served.folder / "registry.txt")
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize("name", ["my model", ".hidden", "näme"])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    place = tmp_path / "a" / "b"
    shutil.copytree(care_zoo.MODELS / MODEL, place / name)
    with pytest.raises(CareError):
        publish(tmp_path / "zoo", [place / name])
    assert not (tmp_path / "zoo" / "registry.txt").exists()


def test_a_copy_has_the_name_of_its_description(tmp_path: Path) -> None:
    """Else its card would tell how to use another model, and caches mix them up."""
    copy = tmp_path / "t2"
    shutil.copytree(care_zoo.MODELS / MODEL, copy)
    result = run(care_train, "publish", tmp_path / "zoo", copy)
    assert result.exit_code == 1
    assert f"'t2', in the rdf.yaml of a package, found '{MODEL}'" in result.stderr
    assert "rename the folder, or mend the name" in result.stderr
    assert not (tmp_path / "zoo" / "registry.txt").exists()
    text = (copy / "rdf.yaml").read_text("utf-8")
    for name in ("t2", "t2 model"):  # which `fit` calls it
        (copy / "rdf.yaml").write_text(text.replace(f": {MODEL}\n", f": {name}\n"))
        assert publish(tmp_path / name, [copy])[0].name == "t2"


def test_a_model_that_was_trained_again(tmp_path: Path) -> None:
    zoo, place = tmp_path / "zoo", version(tmp_path, "mine", "1.0.0")
    assert run(care_train, "publish", zoo, place).exit_code == 0
    (place / "README.md").write_text("trained again")
    before = {path: path.read_bytes() for path in place.iterdir()}
    result = run(care_train, "publish", zoo, place)
    assert result.exit_code == 1
    assert "--version X.Y.Z" in result.stderr
    result = run(care_train, "publish", zoo, place, "--version", "1.1.0")
    assert result.exit_code == 0, result.output
    assert {path: path.read_bytes() for path in place.iterdir()} == before
    found = store.locate("mine", zoo=str(zoo))
    assert found.version == "1.1.0"
    model = onnx.load(str(found.onnx))  # whose hash was looked at
    said = {each.key: each.value for each in model.metadata_props}
    assert json.loads(said["care_spec"])["config"]["care"]["version"] == "1.1.0"
    old = onnx.load(str(place / "model.onnx"))
    assert model.graph.SerializeToString() == old.graph.SerializeToString()
    assert verify(found, Engine(found.onnx, "cpu")).passed
    assert store.locate("mine@1.0.0", zoo=str(zoo)).version == "1.0.0"
    words = ("publish", zoo, place, "--version", "1.2.0", "--fp16")
    result = run(care_train, *words)
    assert result.exit_code == 0, result.output
    assert store.locate("mine", zoo=str(zoo)).version == "1.2.0+fp16"


def test_variants_of_another_version(tmp_path: Path) -> None:
    place, _ = half.add(care_zoo.MODELS / MODEL, tmp_path / "a" / MODEL)
    found = edition.renew(place.folder, tmp_path / "b" / MODEL, "2.0.0")
    assert found.version == "2.0.0+fp16"
    bundle.check(found)
    network = onnx.load(str(found.network(["mean"], "fp16")))
    (said,) = (each.value for each in network.metadata_props if each.key == "care_spec")
    assert json.loads(said)["config"]["care"]["version"] == "2.0.0+fp16"


@pytest.mark.parametrize("text", ["1", "1.0", "v1.0.0", "1.0.0+fp16", "01.0.0", ""])
def test_versions_that_are_none(tmp_path: Path, text: str) -> None:
    words = ("publish", tmp_path / "zoo", care_zoo.MODELS / MODEL, "--version", text)
    result = run(care_train, *words)
    assert result.exit_code == 2
    assert "expected a version X.Y.Z" in result.stderr
    result = run(care_train, "publish", tmp_path / "zoo", "--version", "1.1.0")
    assert result.exit_code == 2
    assert "expected a PACKAGE that gets the --version" in result.stderr
    assert not (tmp_path / "zoo").exists()


def test_a_damaged_package_is_not_published(tmp_path: Path) -> None:
    place = version(tmp_path, "mine", "1.0.1")
    (place / "test_output.npy").write_bytes(b"other")
    with pytest.raises(FileError, match="sha256"):
        publish(tmp_path / "zoo", [place])


def test_the_command_publishes_the_checkout(tmp_path: Path) -> None:
    result = run(care_train, "publish", tmp_path / "zoo")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "zoo" / MODEL / "1.0.0.zip").is_file()


def test_served_fetched_and_restored_offline(served: Served, tmp_path: Path) -> None:
    result = run(care_run, "list", "--zoo", served.address, "--json")
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["mine"]["version"] == "1.10.0"
    assert rows["mine"]["older"] == ["1.9.0"]
    assert rows["mine"]["size"] > 1000
    assert "also 1.9.0" in run(care_run, "list", "--zoo", served.address).stdout
    result = run(care_run, "fetch", "--all", "--zoo", served.address)
    assert result.exit_code == 0, result.output
    image = tmp_path / "image.tif"
    pixels = np.random.default_rng(0).poisson(100, (40, 40)).astype(np.uint16)
    tifffile.imwrite(image, pixels)
    made = []
    for number in range(2):
        out = tmp_path / f"{number}.tif"
        words = ("restore", image, "-m", "mine", "-o", out, "--zoo", served.address)
        result = run(care_run, *words)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        made.append(tifffile.imread(out))
        served.stop()
    np.testing.assert_array_equal(*made)
    result = run(care_run, "list", "--zoo", served.address)
    assert "mine" in result.stdout
    assert result.stderr.startswith("warning: the zoo")
    assert len(result.stderr.splitlines()) == 1


def test_versions_by_name(served: Served) -> None:
    assert store.locate("mine", zoo=served.address).version == "1.10.0"
    assert store.locate("mine@1.9.0", zoo=str(served.folder)).version == "1.9.0"
    assert store.locate(f"{MODEL}@1.0.0").version == "1.0.0"
    result = run(care_run, "info", "mine@2", "--zoo", served.address)
    assert result.exit_code == 2
    assert "1.10.0, 1.9.0" in result.stderr


def test_the_next_source_is_tried(served: Served, tmp_path: Path) -> None:
    archive = served.folder / MODEL / "1.0.0.zip"
    archive.write_bytes(b"changed")
    with pytest.warns(SourceWarning, match="does not match"):
        found = store.locate(MODEL, zoo=served.address)
    assert found.folder == care_zoo.MODELS / MODEL
    with pytest.warns(SourceWarning, match="sha256 differs"):
        store.locate(MODEL, zoo=str(served.folder))
    out = tmp_path / "out.zip"
    result = run(care_run, "package", MODEL, "-o", out, "--zoo", served.address)
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_that_is_no_zoo_has_no_models(tmp_path: Path) -> None:
    result = run(care_run, "list", "--zoo", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "without registry.txt" in result.stderr
    result = run(care_run, "list", "--zoo", care_zoo.MODELS)  # as a mirror of it
    assert result.exit_code == 0


def test_another_model_under_a_name_of_ours(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "evil" / MODEL
    shutil.copytree(care_zoo.MODELS / MODEL, place)
    (place / "README.md").write_text("other")
    with pytest.raises(ExportError, match="care-run refuses: raise"):
        publish(tmp_path / "other", [place])
    with monkeypatch.context() as patch:  # as somebody without our registry does
        patch.setattr(sources, "own", list)
        publish(tmp_path / "other", [place])
    with pytest.raises(FileError, match="do not use it"):
        store.locate(MODEL, zoo=str(tmp_path / "other"))


def test_a_registry_that_is_none(served: Served) -> None:
    for text in ("<html>", "mine/1.zip sha256:00", "../x/1.zip sha256:" + 64 * "0"):
        (served.folder / "registry.txt").write_text(text)
        for place in (served.address, str(served.folder)):
            result = run(care_run, "list", "--zoo", place)
            assert result.exit_code == 1
            assert "registry.txt, line 1" in result.stderr
    (served.folder / "registry.txt").write_bytes(b"\xff\xfe")
    assert run(care_run, "list", "--zoo", served.address).exit_code == 1
    (served.folder / "registry.txt").write_bytes(b"#" * (2 << 20))
    assert run(care_run, "list", "--zoo", served.folder).exit_code == 1


def test_a_cache_that_cannot_be_written(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    for place in ("file", "file/below"):
        monkeypatch.setenv("CARE_HOME", str(tmp_path / place))
        result = run(care_run, "list", "--zoo", served.address)
        assert (result.exit_code, "cannot" in result.stderr) == (1, True)
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["registry.txt", "index.json"])
@pytest.mark.parametrize("content", [b"<html>log in</html>", b"", b"\xff\xfe", None])
def test_a_page_in_place_of_a_list(
    served: Served, tmp_path: Path, name: str, content: bytes | None
) -> None:
    """Good lists stay when a hotel's network or a proxy answers in the zoo's place."""
    assert run(care_run, "fetch", "--all", "--zoo", served.address).exit_code == 0
    (kept,) = (tmp_path / "home" / "zoos").iterdir()
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    if content is None:
        (served.folder / name).unlink()
    else:
        (served.folder / name).write_bytes(content)
    result = run(care_run, "list", "--zoo", served.address)
    assert (result.exit_code, "mine" in result.stdout) == (0, True)
    if (name, content) != ("index.json", None):  # a zoo may have none
        assert result.stderr.startswith("warning: ")
        assert len(result.stderr.splitlines()) == 1
        assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    served.stop()
    assert store.locate("mine", zoo=served.address).version == "1.10.0"


def test_an_index_that_is_none(served: Served) -> None:
    for content in ("[", "[1]", '{"models": 3}', '{"models": [3]}', "[" * 100_000):
        (served.folder / "index.json").write_text(content)
        result = run(care_run, "list", "--zoo", served.folder)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)


def test_the_registrys_address_is_asked_with_care(
    served: Served, tmp_path: Path
) -> None:
    """A zoo names any address: only its own server, or a public one, is asked."""
    registry = served.folder / "registry.txt"
    line = registry.read_text().splitlines()[1]
    (served.folder / "mine").rename(served.folder / "elsewhere")
    registry.write_text(f"{line} {served.address}/elsewhere/1.10.0.zip\n")
    with pytest.warns(SourceWarning, match="404"):
        assert store.locate("mine", zoo=served.address).version == "1.10.0"
    shutil.rmtree(tmp_path / "home")
    registry.write_text(f"{line} http://127.0.0.1:9/elsewhere/1.10.0.zip\n")
    with pytest.raises(FileError, match=r"404.*refused"):
        store.locate("mine", zoo=served.address)


def test_the_cache(served: Served, tmp_path: Path) -> None:
    run(care_run, "fetch", "--all", "--zoo", served.address)
    run(care_run, "fetch", "mine@1.9.0", "--zoo", served.address)
    (tmp_path / "home" / "precious").mkdir()
    (tmp_path / "home" / "precious" / "thesis.txt").write_text("mine")
    listed = json.loads(run(care_run, "cache", "list", "--json").stdout)
    names = {k["name"] for k in listed["kept"] if k["kind"] == "package"}
    assert names == {f"{MODEL}@1.0.0", "mine@1.9.0", "mine@1.10.0"}
    assert "mine@1.9.0" in run(care_run, "cache", "list").stdout
    assert run(care_run, "cache", "clean", "mine@1.9.0").stdout.startswith("2 removed")
    assert run(care_run, "cache", "clean", "nothing").exit_code == 2
    assert run(care_run, "cache", "clean", "mine").stdout.startswith("2 removed")
    assert run(care_run, "cache", "clean").exit_code == 0
    assert run(care_run, "cache", "list", "--json").stdout.count('"kind"') == 0
    assert (tmp_path / "home" / "precious" / "thesis.txt").read_text() == "mine"


def test_a_package_as_one_zip(served: Served, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "mine.zip"
    words = ("package", "mine", "-o", out, "--zoo", served.address)
    assert run(care_run, *words).exit_code == 0
    published = served.folder / "mine" / "1.10.0.zip"
    assert package_.sha256(out) == package_.sha256(published)
    assert "--overwrite" in run(care_run, *words).stderr
    assert run(care_run, *words, "--overwrite").exit_code == 0
    assert run(care_run, "info", out).exit_code == 0


def test_fetching_goes_on_after_a_failure(served: Served) -> None:
    (served.folder / "mine" / "1.10.0.zip").write_bytes(b"changed")
    result = run(care_run, "fetch", "mine", MODEL, "--zoo", served.address)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: mine: ")
    assert result.stdout.startswith(f"{MODEL}: ")


def test_fetch_what(served: Served) -> None:
    assert run(care_run, "fetch").exit_code == 2
    assert run(care_run, "fetch", "mine", "--all").exit_code == 2


def test_a_model_that_is_added_again_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from care_training import zoo

    lines = care_zoo.REGISTRY.read_text("utf-8").splitlines()
    place, line = next((i, x) for i, x in enumerate(lines) if x.startswith("tubules_i"))
    before = line[:-64] + "0" * 64  # of the network that it was
    wrong = [*lines[:place], before, *lines[place + 1 :]]
    monkeypatch.setattr(care_zoo, "REGISTRY", tmp_path / "registry.txt")
    care_zoo.REGISTRY.write_text("\n".join(wrong) + "\n", "utf-8")
    zoo.add(care_zoo.MODELS / "tubules_ins1")
    assert care_zoo.REGISTRY.read_text("utf-8").splitlines() == lines
    care_zoo.REGISTRY.write_text("\n".join(lines[:place]) + "\n", "utf-8")
    zoo.add(care_zoo.MODELS / "tubules_ins1")
    assert care_zoo.REGISTRY.read_text("utf-8").splitlines() == lines[: place + 1]
