"""Forms of TIFF: packed, with smaller copies, large, and as others showed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import tiny
from click.testing import CliRunner
from tiny import noise

from care_runtime import Image, pyramid, reading, tiff, tiffwrite
from care_runtime.cli import main
from care_runtime.errors import OptionError
from care_runtime.form import Form
from care_runtime.image import Look

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_runtime.engine import Engine


def known(axes: str = "TCZYX", **said: Any) -> Image:
    sizes = {"T": 2, "C": 2, "Z": 3, "Y": 300, "X": 290}
    return Image(
        noise(axes, "uint16", **{a: sizes[a] for a in axes}),
        axes,
        {"Z": 0.5, "Y": 0.1, "X": 0.1},
        "µm",
        2.0,
        ("nuclei", "β-actin"),
        name="<cells>",
        look=Look(("FF0000", "00FF80")),
        **said,
    )


# packed and in a pyramid


@pytest.mark.parametrize("compress", ["zlib", "zstd"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
def test_packed(tmp_path: Path, compress: str, dtype: str) -> None:
    path = tmp_path / "a.tif"
    pixels = noise("ZYX", dtype, Z=2, Y=300, X=280) // 32  # some bits to spare
    tiff.write(path, Image(pixels, "ZYX"), form=Form(compress=compress))
    np.testing.assert_array_equal(tiff.read(path).pixels, pixels)
    with tifffile.TiffFile(path) as tif:
        assert tif.is_ome
        page = tif.pages.first
        assert page.is_tiled
        assert page.compression.name in ("ADOBE_DEFLATE", "ZSTD")
    assert path.stat().st_size < pixels.nbytes


def test_unpacked_is_as_ever(tmp_path: Path) -> None:
    image = known()
    tiff.write(tmp_path / "a.tif", image)
    tiff.write(tmp_path / "b.tif", image, form=Form(compress="none", pyramid=0))
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.is_imagej


def test_a_pyramid_has_copies_of_every_plane(tmp_path: Path) -> None:
    path, image = tmp_path / "a.ome.tif", known()
    tiff.write(path, image, form=Form(compress="zlib", pyramid=2))
    with tifffile.TiffFile(path) as tif:
        (series,) = tif.series
        assert [level.shape[-2:] for level in series.levels] == [
            (300, 290),
            (150, 145),
            (75, 73),
        ]
        half = series.levels[1].asarray()
        assert len(tif.pages) == 12
        assert tif.pages.first.pages[0].subfiletype == 1
    np.testing.assert_array_equal(
        half[1, 0, 2], pyramid.halved(image.pixels[1, 0, 2], "YX")
    )
    back = tiff.read(path)
    np.testing.assert_array_equal(back.pixels, image.pixels)
    assert (back.voxel, back.name) == (image.voxel, "<cells>")


def test_the_same_bytes_again(tmp_path: Path) -> None:
    contents = set()
    for name in ("a.tif", "b.tif"):
        tiff.write(tmp_path / name, known(), form=Form(compress="zstd", pyramid=1))
        contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1


def test_averages_of_any_size() -> None:
    pixels = np.array([[0, 1, 7], [2, 3, 9], [4, 5, 1]], np.uint8)
    np.testing.assert_array_equal(pyramid.halved(pixels, "YX"), [[2, 8], [4, 1]])
    assert pyramid.halved(np.full((1, 1), 2**32 - 1, np.uint32), "YX") == 2**32 - 1
    assert pyramid.sizes((3, 5, 1), "ZYX", 9) == [(3, 3, 1), (3, 2, 1), (3, 1, 1)]


def test_large_files_are_big_tiffs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, image = tmp_path / "a.tif", known(flavour="ome")
    tiff.write(path, image)
    with tifffile.TiffFile(path) as tif:
        assert not tif.is_bigtiff
    size = image.pixels.nbytes
    monkeypatch.setattr(tiffwrite, "CLASSIC", size)
    tiff.write(path, image, form=Form(pyramid=1))
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff  # the copies count as well
    np.testing.assert_array_equal(tiff.read(path).pixels, image.pixels)
    monkeypatch.setattr(tiffwrite, "IMAGEJ_BYTES", size - 1)
    tiff.write(path, Image(image.pixels, "TCZYX"))
    with tifffile.TiffFile(path) as tif:
        assert tif.is_ome
    assert tiffwrite.CLASSIC < 2**32


@pytest.mark.parametrize("form", [{"compress": "jpeg"}, {"pyramid": -1}])
def test_forms_that_mean_nothing(form: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="expected"):
        Form(**form)


# OME


@pytest.mark.parametrize("form", [Form(), Form(compress="zlib", pyramid=1)])
def test_ome_types_opens_it(tmp_path: Path, form: Form) -> None:
    ome_types = pytest.importorskip("ome_types")
    path = tmp_path / "a.ome.tif"
    tiff.write(path, known(), description={"model": "m"}, form=form)
    (image,) = ome_types.from_tiff(path, validate=True).images
    pixels = image.pixels
    assert image.name == "<cells>"
    assert [c.name for c in pixels.channels] == ["nuclei", "β-actin"]
    assert [c.color.as_rgb_tuple()[:3] for c in pixels.channels] == [
        (255, 0, 0),
        (0, 255, 128),
    ]
    assert (pixels.physical_size_z, pixels.time_increment) == (0.5, 2.0)
    assert "model = m" in str(image.description)
    assert (pixels.size_t, pixels.size_c, pixels.size_z) == (2, 2, 3)


def test_colours_and_name_of_ome_come_back(tmp_path: Path) -> None:
    path, image = tmp_path / "a.ome.tif", known()
    tiff.write(path, image)
    back = tiff.read(path)
    assert (back.look, back.name) == (image.look, "<cells>")
    tiff.write(path, Image(image.pixels, "TCZYX"))
    assert tiff.read(path).look == Look()


# ImageJ


def test_imagej_keeps_how_it_was_shown(
    tmp_path: Path, engine: Callable[[str], Engine]
) -> None:
    """Lookup tables, ranges and the speed of a movie, through a restoration."""
    luts = [np.zeros((3, 256), np.uint8) for _ in range(2)]
    luts[0][1] = np.arange(256)
    luts[1][:] = np.arange(255, -1, -1)
    ranges = (1.0, 200.0, 5.0, 90.0)
    meta = {
        "axes": "TCYX",
        "fps": 12.5,
        "LUTs": luts,
        "Ranges": ranges,
    }
    path, pixels = tmp_path / "a.tif", noise("TCYX", T=3, C=2, Y=40, X=30)
    tifffile.imwrite(path, pixels, imagej=True, metadata={**meta, "mode": "composite"})
    model = tiny.write_package(tmp_path / "m", "laplace", engine("laplace"))
    out = tmp_path / "out.tif"
    words = ["restore", path, "-m", model, "-o", out, "--outputs", "mean,scale"]
    found = CliRunner().invoke(main, [str(word) for word in words])
    assert found.exit_code == 0, found.output
    with tifffile.TiffFile(out) as tif:
        said = tif.imagej_metadata or {}
    assert said["fps"] == 12.5
    assert said["Ranges"] == ranges
    assert said["mode"] == "composite"
    for lut, kept in zip(luts, said["LUTs"], strict=True):
        np.testing.assert_array_equal(lut, kept)
    scale = reading.read(tmp_path / "out_scale.ome.tif")
    assert scale.look.colours == ("00FF00", "FFFFFF")
    assert scale.look.ranges == ()


def test_one_channel_of_imagej(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.tif", noise("ZYX", Z=5, Y=20, X=30)
    meta = {"axes": "ZYX", "min": 3.0, "max": 77.0}
    tifffile.imwrite(path, pixels, imagej=True, metadata=meta)
    image = tiff.read(path)
    assert image.look.ranges == ((3.0, 77.0),)
    tiff.write(tmp_path / "b.tif", image)
    with tifffile.TiffFile(tmp_path / "b.tif") as tif:
        said = tif.imagej_metadata or {}
    assert (said["min"], said["max"], said["mode"]) == (3.0, 77.0, "grayscale")


def test_colours_become_lookup_tables(tmp_path: Path) -> None:
    tiff.write(tmp_path / "a.tif", known())
    back = tiff.read(tmp_path / "a.tif")
    assert back.flavour == "imagej"
    assert back.look.hues == ("FF0000", "00FF80")
    np.testing.assert_array_equal(back.look.luts[0][0], np.arange(256))


def test_options_on_the_command_line(
    tmp_path: Path, engine: Callable[[str], Engine]
) -> None:
    path, pixels = tmp_path / "a.tif", noise("YX", Y=600, X=500)
    tifffile.imwrite(path, pixels)
    model = tiny.write_package(tmp_path / "m", "identity2d", engine("identity2d"))
    out = tmp_path / "out.tif"
    words = ["restore", path, "-m", model, "-o", out]
    words += ["--compress", "zstd", "--pyramid", "2"]
    found = CliRunner().invoke(main, [str(word) for word in words])
    assert found.exit_code == 0, found.output
    with tifffile.TiffFile(out) as tif:
        assert len(tif.series[0].levels) == 3
        np.testing.assert_array_equal(tif.series[0].asarray(), pixels)
