"""Saving: the files that a person asks for beside the restoration."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import tiny
from click.testing import CliRunner
from tiny import noise, one_line

from care_runtime import Image, tiff
from care_runtime.cli import main
from care_runtime.errors import FileError, OptionError
from care_runtime.movie import frames, write_gif
from care_runtime.package import Package
from care_runtime.saving import joined, places
from care_runtime.scratch import Scratch
from care_runtime.spec import Weights
from care_runtime.tensor import File
from care_runtime.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from care_runtime.engine import Engine

TRUST = ["--confidence", "0.9", "--samples", "3", "--flag", "0.1"]
EXTRAS = ["scale", "lower", "upper", "flag"]
SHAPE = (2, 30, 35)


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory, engine: Callable[[str], Engine]
) -> Path:
    """Write the package of a probabilistic network."""
    folder = tmp_path_factory.mktemp("models") / "laplace"
    return tiny.write_package(folder, "laplace", engine("laplace"))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.tif"
    pixels = noise("ZYX", Z=2, Y=30, X=35)
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "ZYX"})
    return path


def restore(image: Path, model: Path, out: Path, *words: str) -> Result:
    names = ["restore", image, "-m", model, "-o", out, "--device", "cpu", *words]
    return CliRunner().invoke(main, [str(name) for name in names])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# files


def test_every_image_has_its_file(tmp_path: Path, image: Path, model: Path) -> None:
    out = tmp_path / "out" / "cells.tif"
    found = restore(image, model, out, "--outputs", "mean,scale", *TRUST, "--json")
    assert found.exit_code == 0, found.output
    beside = {f"cells_{name}.ome.tif" for name in [*EXTRAS, "samples"]}
    assert names(out.parent) == {"cells.tif", "cells_samples.gif", *beside}
    read = {
        name: tiff.read(out.with_name(f"cells_{name}.ome.tif"))
        for name in [*EXTRAS, "samples"]
    }
    read["mean"] = tiff.read(out)
    for name in ("mean", *EXTRAS):
        assert (read[name].axes, read[name].pixels.shape) == ("ZYX", SHAPE), name
    types = {name: str(each.pixels.dtype) for name, each in read.items()}
    assert types == {
        "mean": "uint16",
        "lower": "uint16",
        "upper": "uint16",
        "samples": "uint16",
        "scale": "float32",
        "flag": "uint8",
    }
    assert read["samples"].pixels.shape == (3, *SHAPE)
    np.testing.assert_array_equal(read["mean"].pixels, tifffile.imread(image))
    assert (read["lower"].pixels <= read["mean"].pixels).all()
    assert (read["mean"].pixels <= read["upper"].pixels).all()
    assert set(np.unique(read["flag"].pixels)) == {0, 255}


def test_the_summary_names_files_and_flagged(
    tmp_path: Path, image: Path, model: Path
) -> None:
    out = tmp_path / "out" / "cells.tif"
    found = restore(image, model, out, "--outputs", "mean,scale", *TRUST, "--json")
    (result,) = json.loads(found.stdout)["results"]
    assert {Path(file).name for file in result["files"]} == names(out.parent)
    assert Path(result["files"][0]) == out
    mask = tifffile.imread(out.with_name("cells_flag.ome.tif"))
    assert result["flagged"] == pytest.approx(np.mean(mask == 255))
    assert 0 < result["flagged"] < 1
    said = f"{100 * result['flagged']:.2f} % of pixels (relative scale > 0.1)"
    assert result["flag"] == said
    with tifffile.TiffFile(out) as tif:
        assert said in tif.imagej_metadata["Info"]
    for name in EXTRAS:
        path = out.with_name(f"cells_{name}.ome.tif")
        with tifffile.TiffFile(path) as tif:
            kept = tif.ome_metadata or str(tif.imagej_metadata)
        for word in ("flagged", "% of pixels", "confidence of lower", "seed 0"):
            assert word in kept, (name, word)


def test_people_are_told_the_files(tmp_path: Path, image: Path, model: Path) -> None:
    found = restore(image, model, tmp_path / "o.tif", *TRUST)
    assert found.exit_code == 0, found.output
    for word in ("o_lower.ome.tif", "o_samples.gif", "flagged: ", "% of pixels"):
        assert word in found.stdout


def test_samples_are_an_animated_gif(tmp_path: Path, image: Path, model: Path) -> None:
    restore(image, model, tmp_path / "o.tif", "--samples", "3")
    data = (tmp_path / "o_samples.gif").read_bytes()
    movie = imagecodecs.gif_decode(data)
    assert movie.shape[:3] == (3, 30, 35)
    assert len({plane.tobytes() for plane in movie}) == 3
    assert data.startswith(b"GIF89a")
    assert b"NETSCAPE2.0\x03\x01\x00\x00" in data  # for ever
    assert data.count(b"\x21\xf9\x04") == 3
    assert data.endswith(b"\x3b")


@pytest.mark.parametrize("shape", [(1, 5, 6), (2, 600, 7), (3, 1, 1)])
def test_any_planes_are_a_gif(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    pixels = noise("SYX", S=shape[0], Y=shape[1], X=shape[2])
    shown = frames(Image(pixels, "SYX"))
    assert shown.dtype == np.uint8
    assert shown.shape == (shape[0], min(shape[1], 512), shape[2])
    write_gif(tmp_path / "m.gif", shown)
    decoded = imagecodecs.gif_decode((tmp_path / "m.gif").read_bytes())
    grey = decoded.reshape(*shown.shape, -1)
    np.testing.assert_array_equal(grey[..., 0], shown)


def test_a_seed_is_a_file(tmp_path: Path, image: Path, model: Path) -> None:
    found = []
    for number, seed in enumerate("445"):
        out = tmp_path / str(number) / "o.tif"
        restore(image, model, out, "--samples", "2", "--seed", seed)
        found.append(tifffile.imread(out.with_name("o_samples.ome.tif")))
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


def test_nothing_but_the_restoration_unasked(
    tmp_path: Path, image: Path, model: Path
) -> None:
    found = restore(image, model, tmp_path / "out" / "o.tif", "--json")
    assert names(tmp_path / "out") == {"o.tif"}
    (result,) = json.loads(found.stdout)["results"]
    assert result["flagged"] is None
    assert result["flag"] is None


# joined


def test_join_is_one_file_of_channels(tmp_path: Path, image: Path, model: Path) -> None:
    out = tmp_path / "out" / "o.ome.tif"
    words = ["--outputs", "mean,scale", *TRUST, "--join"]
    found = restore(image, model, out, *words)
    assert found.exit_code == 0, found.output
    assert names(out.parent) == {"o.ome.tif", "o_samples.ome.tif", "o_samples.gif"}
    read = tiff.read(out)
    assert (read.axes, read.pixels.shape) == ("CZYX", (5, 2, 30, 35))
    assert read.pixels.dtype == np.float32
    assert read.channels == ("mean", *EXTRAS)
    np.testing.assert_array_equal(read.pixels[0], tifffile.imread(image))
    alone = tmp_path / "alone" / "o.tif"
    restore(image, model, alone, "--outputs", "mean,scale", *TRUST)
    for number, name in enumerate(EXTRAS, 1):
        other = tifffile.imread(alone.with_name(f"o_{name}.ome.tif"))
        np.testing.assert_array_equal(read.pixels[number], other, name)


def test_joined_channels_have_names() -> None:
    pixels = noise("YXC", Y=4, X=5, C=2)
    images = {"mean": Image(pixels, "YXC"), "flag": Image(pixels[..., :1], "YXC")}
    made = joined(images)
    assert (made.axes, made.pixels.shape) == ("CYX", (3, 4, 5))
    assert made.channels == ("mean 0", "mean 1", "flag")
    np.testing.assert_array_equal(made.pixels[:2], pixels.transpose(2, 0, 1))
    np.testing.assert_array_equal(made.pixels[2], pixels[..., 0])
    two = Image(pixels, "YXC", channels=("DAPI", "GFP"))
    made = joined({"mean": two, "scale": two, "flag": images["flag"]})
    named = ("DAPI mean", "GFP mean", "DAPI scale", "GFP scale", "flag")
    assert made.channels == named


def test_images_of_several_sizes_are_not_joined() -> None:
    images = {
        "mean": Image(noise("ZYX", Z=3, Y=4, X=5), "ZYX"),
        "height": Image(noise("YX", Y=4, X=5), "YX"),
    }
    with pytest.raises(OptionError, match=r"found mean ZYX \(3, 4, 5\), height") as e:
        joined(images)
    one_line(e.value)


# places


@pytest.mark.parametrize(
    "name", ["a.tif", "a.tiff", "a.ome.tif", "a.OME.TIFF", "a.TIF"]
)
def test_the_stem_is_the_name_without_its_suffix(name: str) -> None:
    found = places(Path("x") / name, ["mean", "std", "samples"], join=False)
    assert {key: path.name for key, path in found.items()} == {
        "mean": name,
        "std": "a_std.ome.tif",
        "samples": "a_samples.ome.tif",
        "movie": "a_samples.gif",
    }
    together = places(Path(name), ["mean", "std", "samples"], join=True)
    assert together["mean"] == together["std"] == Path(name)
    assert together["samples"] == Path("a_samples.ome.tif")


@pytest.mark.parametrize("extra", ["scale.ome.tif", "samples.gif", "flag.ome.tif"])
def test_an_extra_is_not_replaced_unasked(
    tmp_path: Path, image: Path, model: Path, extra: str
) -> None:
    out = tmp_path / "out" / "o.tif"
    out.parent.mkdir()
    taken = out.with_name(f"o_{extra}")
    taken.write_text("precious")
    words = ["--outputs", "mean,scale", *TRUST]
    found = restore(image, model, out, *words)
    assert found.exit_code == 1
    assert "--overwrite" in found.stderr
    assert taken.name in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert names(out.parent) == {taken.name}
    assert taken.read_text() == "precious"
    assert restore(image, model, out, *words, "--overwrite").exit_code == 0
    assert len(names(out.parent)) == 7


# options


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--outputs", "mean,skale"], "mean, scale"),
        (["--outputs", ""], "mean, scale"),
        (["--outputs", "lower"], "mean, scale"),
        (["--confidence", "95"], "as 0.9, found 95"),
        (["--samples", "-1"], "found -1"),
        (["--flag", "-1"], "found -1"),
        (["--average", "0"], "'--average': 0"),
        (["--factor", "0"], "'--factor': 0"),
    ],
)
def test_options_that_mean_nothing(
    tmp_path: Path, image: Path, model: Path, words: list[str], said: str
) -> None:
    found = restore(image, model, tmp_path / "out" / "o.tif", *words)
    assert found.exit_code == 2, found.output
    assert said in found.stderr.splitlines()[-1]
    assert names(tmp_path) == {"image.tif"}


def test_a_model_without_a_distribution(
    tmp_path: Path, image: Path, package: Path
) -> None:
    found = restore(image, package, tmp_path / "o.tif", "--confidence", "0.9")
    assert found.exit_code == 2
    assert "--probabilistic" in found.stderr
    assert not (tmp_path / "o.tif").exists()


# scratch


def test_large_arrays_lie_in_files_that_vanish(tmp_path: Path) -> None:
    make = Scratch(tmp_path / "deep", large=1000)
    small = make((10, 9), np.dtype(np.float32))
    assert not isinstance(small, np.memmap)
    assert not (tmp_path / "deep").exists()
    array = make((10, 25), np.dtype(np.float32))
    assert isinstance(array, np.memmap)
    assert (array.shape, array.dtype) == ((10, 25), np.float32)
    array[:] = np.arange(25)
    np.testing.assert_array_equal(array[7], np.arange(25))
    del array
    assert names(tmp_path / "deep") == set()


def test_a_disk_without_room(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FileError, match="expected room for") as error:
        Scratch(tmp_path / "file", large=1)((4, 4), np.dtype(np.uint8))
    one_line(error.value)


def test_a_restoration_in_a_file_is_the_same(
    tmp_path: Path, restorer: Callable[..., Any]
) -> None:
    image, run = noise("YX", Y=40, X=41), restorer("unet2d")
    found = run(image, "YX", tile=8, empty=Scratch(tmp_path, large=1))
    assert isinstance(found.image, np.memmap)
    np.testing.assert_array_equal(found.image, run(image, "YX").image)
    tiff.write(tmp_path / "o.tif", found.images["mean"])
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "o.tif"), found.image)
    assert names(tmp_path) == {"o.tif"}


# variants


@pytest.fixture
def varied(tmp_path: Path) -> Package:
    """Make a package of two outputs with variants of one, one and both."""
    files = {"model.onnx": "all", "mean.onnx": "mean", "both.onnx": "both"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    spec = tiny.spec("laplace")
    assert spec.care is not None
    variants = {
        "both.onnx": Variant(("scale", "mean")),
        "mean.onnx": Variant(("mean",), tiny.hashed(tmp_path / "mean.onnx").sha256),
    }
    care = replace(spec.care, variants=variants)
    weights = Weights(File("model.onnx"), 17)
    return Package(replace(spec, care=care, weights=weights), tmp_path)


@pytest.mark.parametrize(
    ("outputs", "name"),
    [
        (["mean"], "mean.onnx"),
        (["mean", "mean"], "mean.onnx"),
        (["scale"], "model.onnx"),
        (["mean", "scale"], "model.onnx"),
    ],
)
def test_the_variant_of_fewest_outputs(
    varied: Package, outputs: list[str], name: str
) -> None:
    assert varied.network(outputs) == varied.folder.resolve() / name


def test_the_order_of_variants_does_not_matter(varied: Package) -> None:
    care = varied.spec.care
    assert care is not None
    turned = replace(care, variants=dict(reversed(care.variants.items())))
    package = Package(replace(varied.spec, care=turned), varied.folder)
    assert package.network(["mean"]) == varied.network(["mean"])


def test_a_variant_that_was_changed_is_refused(varied: Package) -> None:
    (varied.folder / "mean.onnx").write_text("other")
    with pytest.raises(FileError, match="sha256") as error:
        varied.network(["mean"])
    one_line(error.value)


def test_variants_are_kept_in_the_description(varied: Package) -> None:
    spec = varied.spec
    found = type(spec).from_dict(spec.to_dict())
    assert found.care is not None
    assert spec.care is not None
    assert found.care.variants == spec.care.variants


@pytest.mark.parametrize("files", [("a.tif", "a.tiff"), ("a.tif", "a_scale.ome.tif")])
def test_no_image_of_a_batch_replaces_another(
    tmp_path: Path, image: Path, model: Path, files: tuple[str, str]
) -> None:
    """Neither an extra of another image, nor a source."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in files:
        (folder / name).write_bytes(image.read_bytes())
    words = ("--outputs", "mean,scale", "--overwrite")
    found = restore(folder, model, tmp_path / "out", *words)
    assert found.exit_code == 2
    assert "would both go to" in one_line(found.stderr)
    assert not (tmp_path / "out").exists()
    source = folder / files[1]
    found = restore(source, model, folder / "a.tif", *words)
    if "scale" in source.name:
        assert "would replace an image to restore" in one_line(found.stderr)
        assert source.read_bytes() == image.read_bytes()


def test_draws_of_a_movie_are_refused_before_it_is_restored(
    tmp_path: Path, model: Path
) -> None:
    pixels = noise("TYX", T=2, Y=30, X=35)
    tifffile.imwrite(tmp_path / "m.tif", pixels, imagej=True, metadata={"axes": "TYX"})
    found = restore(tmp_path / "m.tif", model, tmp_path / "o.tif", "--samples", "2")
    assert found.exit_code == 1
    assert "one time point" in one_line(found.stderr)


def test_draws_of_an_image_of_one_time_point(
    tmp_path: Path, image: Path, model: Path
) -> None:
    movie, path = np.stack([tifffile.imread(image)] * 2), tmp_path / "two.tif"
    tifffile.imwrite(path, movie, imagej=True, metadata={"axes": "TZYX"})
    out = tmp_path / "out" / "cells.tif"
    words = ["--outputs", "mean,scale", "--samples", "3"]
    found = restore(path, model, out, *words)
    assert "draw from one time point" in found.output
    found = restore(path, model, out, *words, "--time", "1")
    assert found.exit_code == 0, found.output
    made = tiff.read(out.with_name("cells_samples.ome.tif"))
    assert (made.axes, made.pixels.shape) == ("TZYX", (3, *SHAPE))
