"""Overlap: no image to read is replaced, or changed, by what is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from tiny import noise, one_line

from care_runtime import Image, batch, finding, writing
from care_runtime.batch import Options
from care_runtime.cli import main
from care_runtime.errors import OptionError
from care_runtime.overlap import Read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_runtime.restore import Restorer


def run(*words: object) -> Any:
    return CliRunner().invoke(main, [str(word) for word in words])


def tif(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, noise("YX", Y=40, X=50))
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file()
    }


@pytest.mark.parametrize(
    ("source", "output", "said"),
    [
        ("plate.zarr/0", "plate.zarr", "holds an image"),
        ("plate.zarr/0", "plate.zarr/0/inner.zarr", "lies in an image"),
        ("plate.zarr/0", "plate.zarr/0/deep/inner.tif", "lies in an image"),
        ("plate.zarr/0", "link.zarr", "holds an image"),
        ("plate.zarr/0", "own.zarr", "would replace"),
    ],
)
def test_a_zarr_is_not_lost_to_what_is_made_of_it(
    tmp_path: Path, source: str, output: str, said: str
) -> None:
    pytest.importorskip("zarr")
    for name in "01":
        image = Image(noise("YX", Y=40, X=50), "YX")
        (tmp_path / "plate.zarr").mkdir(exist_ok=True)
        writing.write(tmp_path / "plate.zarr" / f"{name}.zarr", image)
        made = tmp_path / "plate.zarr" / f"{name}.zarr"
        made.rename(tmp_path / "plate.zarr" / name)
    (tmp_path / "plate.zarr" / "zarr.json").write_text("{}")
    (tmp_path / "link.zarr").symlink_to(tmp_path / "plate.zarr")
    (tmp_path / "own.zarr").symlink_to(tmp_path / "plate.zarr" / "0")
    before = content(tmp_path)
    model = ("-m", "denoise_widefield", "--overwrite")
    found = run("restore", tmp_path / source, *model, "-o", tmp_path / output)
    assert found.exit_code == 2, found.output
    assert said in one_line(found.stderr)
    assert content(tmp_path) == before


def test_further_images_and_python_are_held_to_it(
    tmp_path: Path, restorer: Callable[..., Restorer]
) -> None:
    source = tif(tmp_path / "b.ome.zarr" / "a.tif")
    spec = restorer("laplace").spec
    chosen = Options(outputs=("mean", "scale"), overwrite=True)
    target = tmp_path / "b.tif"  # with b_scale.ome.tif beside it
    (tmp_path / "b_scale.ome.tif").symlink_to(source)
    with pytest.raises(OptionError, match="would replace"):
        batch.check(spec, [source], [target], chosen)
    above = source.parent
    before = source.read_bytes()
    found = batch.run(restorer("identity2d"), source, above, Options(overwrite=True))
    assert found.status == "failed"
    assert "holds an image" in str(found.error)
    assert source.read_bytes() == before


def test_what_lies_beside_is_free(tmp_path: Path) -> None:
    def refused(name: str) -> bool:
        try:
            read.require_apart(tmp_path / name)
        except OptionError:
            return True
        return False

    (tmp_path / "a.zarr").mkdir()
    read = Read.of([tmp_path / "a.zarr", "https://host/b.zarr"])
    names = ("b.zarr", "a.zarr.tif", "out/a.zarr", "a.zarr", "a.zarr/b.tif", ".")
    assert [refused(name) for name in names] == [False] * 3 + [True] * 3


def test_the_demo_does_not_replace_its_input(tmp_path: Path) -> None:
    own = tif(tmp_path / "care_demo_restored.tif")
    before = own.read_bytes()
    found = run("demo", "--input", own, "-o", tmp_path)
    assert found.exit_code == 2, found.output
    assert "would replace" in one_line(found.stderr)
    assert own.read_bytes() == before


def test_a_link_to_itself_fails_alone(
    tmp_path: Path, restorer: Callable[..., Restorer]
) -> None:
    """`Path.resolve` raises a RuntimeError before Python 3.13."""
    folder = tmp_path / "sl"
    tif(folder / "a.tif")
    (folder / "loop.tif").symlink_to("loop.tif")
    files = finding.sources([folder])
    places = finding.targets(files, tmp_path / "out")
    made = restorer("identity2d")
    batch.check(made.spec, files, places, Options())
    pairs = zip(files, places, strict=True)
    found = [batch.run(made, file, place, Options()) for file, place in pairs]
    assert [each.status for each in found] == ["done", "failed"]
    assert "a link to what is not there" in str(found[1].error)
    assert np.array_equal(tifffile.imread(places[0]), tifffile.imread(files[0]))


@pytest.mark.parametrize(
    "words",
    [
        ("restore", "a.tif", "-m", "denoise_widefield", "-o", ""),
        ("restore", "", "-m", "denoise_widefield", "-o", "out"),
        ("restore", "a.tif", "-m", "", "-o", "out"),
        ("package", "denoise_widefield", "-o", "", "--overwrite"),
        ("demo", "--input", ""),
        ("demo", "-o", ""),
    ],
)
def test_empty_names_are_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    tif(tmp_path / "a.tif")
    found = run(*words)
    assert found.exit_code == 2, found.output
    assert any(word in one_line(found.stderr) for word in ("an empty one", "found ''"))
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
