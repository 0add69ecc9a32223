"""TIFF: what is written is read, what is read is whole, and ImageJ sees the same."""

from __future__ import annotations

import io
import itertools
import logging
import math
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from care_runtime import tiff, tiffkinds
from care_runtime.errors import AxesError, FileError, ImageError, SeriesWarning
from care_runtime.image import Calibration, Image
from care_runtime.tiff import read, write

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA = Path(__file__).parents[3] / "shared" / "data"
SIZES = {"S": 2, "T": 3, "C": 2, "Z": 4, "Y": 5, "X": 3}  # X = 3 must not become RGB
ORDERS = [
    "".join(order)
    for n in range(4)
    for extra in itertools.combinations("TCZ", n)
    for order in itertools.permutations((*extra, "Y", "X"))
]
CALIBRATED: dict[str, Any] = {
    "voxel": {"Z": 0.388, "Y": 0.0339, "X": 0.0339},
    "unit": "µm",
}


def ramp(axes: str, dtype: str = "uint16", **sizes: int) -> NDArray[Any]:
    shape = [(SIZES | sizes)[x] for x in axes]
    return np.arange(math.prod(shape)).reshape(shape).astype(dtype)


def raw(path: Path) -> tuple[NDArray[Any], str]:
    with tifffile.TiffFile(path) as tif:
        return tif.series[0].asarray(), tif.series[0].axes


def ordered(pixels: NDArray[Any], axes: str, target: str) -> NDArray[Any]:
    return pixels.transpose([axes.index(x) for x in target])


def encoded(pixels: NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **({"photometric": "minisblack"} | options))
    return buffer.getvalue()


def saved(path: Path, pixels: NDArray[Any], **options: Any) -> Path:
    path.write_bytes(encoded(pixels, **options))
    return path


# round trips


@pytest.mark.parametrize("flavour", ["plain", "ome"])
@pytest.mark.parametrize("axes", ORDERS)
def test_round_trip_of_every_order(tmp_path: Path, axes: str, flavour: Any) -> None:
    pixels = ramp(axes)
    write(tmp_path / "a.tif", Image(pixels, axes, flavour=flavour))
    back = read(tmp_path / "a.tif")
    assert back.flavour == ("ome" if flavour == "ome" else "imagej")
    assert sorted(back.axes) == sorted(axes)
    np.testing.assert_array_equal(back.pixels, ordered(pixels, axes, back.axes))
    if flavour == "ome" and axes.endswith("YX"):
        assert back.axes == axes
    else:
        assert back.axes == "".join(x for x in "TZCYX" if x in axes)


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (3, 3), (4, 4)])
def test_small_planes_keep_y_and_x(
    tmp_path: Path, name: str, shape: tuple[int, int]
) -> None:
    pixels = np.ones((1, 2, 1, *shape), np.float32)
    write(tmp_path / name, Image(pixels, "TZCYX"))
    back = read(tmp_path / name)
    assert (back.axes, back.pixels.shape) == ("ZYX", (2, *shape))


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "A.OME.TIFF"])
@pytest.mark.parametrize(
    ("dtype", "stored"),
    [
        ("uint8", "uint8"),
        ("uint16", "uint16"),
        (">u2", "uint16"),
        ("float32", "float32"),
        ("float64", "float32"),
        ("float16", "float32"),
        ("bool", "uint8"),
        ("int8", "int8"),
        ("int16", "int16"),
        ("int32", "int32"),
        ("uint32", "uint32"),
        ("int64", "int32"),
        ("uint64", "uint32"),
    ],
)
def test_types(tmp_path: Path, name: str, dtype: str, stored: str) -> None:
    pixels = ramp("ZYX", dtype)
    write(tmp_path / name, Image(pixels, "ZYX"))
    back = read(tmp_path / name)
    assert back.pixels.dtype == np.dtype(stored)
    assert back.pixels.dtype.isnative
    np.testing.assert_array_equal(back.pixels, pixels.astype(stored))
    fits = name == "a.tif" and stored in {"uint8", "uint16", "float32"}
    assert back.flavour == ("imagej" if fits else "ome")


@pytest.mark.parametrize(
    ("pixels", "found"),
    [
        (np.zeros((2, 2), complex), "complex128"),
        (np.array([[2**40, 0]]), "int64 values from 0 to 1099511627776"),
        (np.zeros((0, 2), np.uint8), r"shape \(0, 2\)"),
    ],
)
def test_pixels_no_file_holds(tmp_path: Path, pixels: Any, found: str) -> None:
    with pytest.raises(ImageError, match=rf"expected .*a\.tif, found .*{found}"):
        write(tmp_path / "a.tif", Image(pixels, "YX"))
    assert not list(tmp_path.iterdir())


def test_samples(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write(path, Image(ramp("SZYX"), "SZYX"))
    assert read(path).axes == "TZYX"
    write(path, Image(ramp("STYX", S=1), "STYX"))
    assert read(path).axes == "TYX"
    with pytest.raises(AxesError, match="axes STYX; restore the samples one by one"):
        write(path, Image(ramp("STYX"), "STYX"))


# calibration


@pytest.mark.parametrize("flavour", ["imagej", "ome"])
@pytest.mark.parametrize("axes", ["YX", "CYX", "ZYX", "TZCYX"])
@pytest.mark.parametrize("unit", ["µm", "nm", "Å", "mm"])
def test_calibration_round_trip(
    tmp_path: Path, flavour: Any, axes: str, unit: str
) -> None:
    names = ("nuclei", "membrane β") if "C" in axes else ()
    voxel = {"Z": 2.5, "Y": 0.0339, "X": 0.1}
    pixels = ramp(axes)
    image = Image(pixels, axes, voxel, unit, 0.25, names, flavour)
    write(tmp_path / "a.tif", image)
    back = read(tmp_path / "a.tif")
    assert back.flavour == flavour
    assert back.voxel == pytest.approx(voxel, rel=1e-9)
    assert (back.unit, back.interval, back.channels) == (unit, 0.25, names)


def test_imagej_sees_the_calibration(tmp_path: Path) -> None:
    said: Any = CALIBRATED | {"interval": 2.0, "channels": ("a", "b")}
    image = Image(ramp("ZCYX"), "ZCYX", **said)
    write(tmp_path / "a.tif", image, description={"model": "m 1.0", "tile": "64\n64"})
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        meta, tags = tif.imagej_metadata or {}, tif.pages.first.tags
        assert tif.is_imagej
        assert not tif.is_bigtiff
    assert meta["unit"] == "um"
    assert (meta["spacing"], meta["finterval"]) == (0.388, 2.0)
    assert (meta["channels"], meta["slices"], meta["mode"]) == (2, 4, "composite")
    assert meta["Labels"] == ["a", "b"] * 4
    assert meta["Info"] == "model = m 1.0\ntile = 64 64\n"
    count, unit = tags["XResolution"].value
    assert count / unit == pytest.approx(1 / 0.0339)
    assert tags["Software"].value == "care-zoo"
    assert tags["PhotometricInterpretation"].value == 1
    assert "DateTime" not in tags


def test_ome_says_the_calibration(tmp_path: Path) -> None:
    image = Image(
        ramp("CZYX"), "CZYX", **CALIBRATED, interval=2.0, channels=("<a>", "")
    )
    write(tmp_path / "a.ome.tif", image, description={"model": "m & 1.0\x00"})
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        root = ElementTree.fromstring(tif.ome_metadata or "")
        assert tif.series[0].axes == "CZYX"
    pixels = root.find("{*}Image/{*}Pixels")
    assert pixels is not None
    assert [pixels.get(f"PhysicalSize{x}") for x in "ZYX"] == ["0.388"] + 2 * ["0.0339"]
    assert pixels.get("PhysicalSizeXUnit") == "µm"
    assert (pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit")) == (
        "2.0",
        "s",
    )
    assert [c.get("Name") for c in pixels.iterfind("{*}Channel")] == ["<a>", ""]
    assert root.findtext("{*}Image/{*}Description") == "model = m & 1.0\n"
    assert root.get("Creator") == "care-zoo"
    assert read(tmp_path / "a.ome.tif").channels == ("<a>", "")


def test_one_channel_keeps_its_name_in_ome(tmp_path: Path) -> None:
    write(tmp_path / "a.ome.tif", Image(ramp("YX"), "YX", channels=("GFP",)))
    assert read(tmp_path / "a.ome.tif").channels == ("GFP",)


def test_uncalibrated_stays_so(tmp_path: Path) -> None:
    for name in ("a.tif", "a.ome.tif"):
        write(tmp_path / name, Image(ramp("ZYX"), "ZYX", {"X": 2.0, "Y": 2.0}, "pixel"))
        back = read(tmp_path / name)
        assert (back.voxel, back.unit) == ({}, "")
        assert (back.interval, back.channels) == (None, ())


def test_what_imagej_cannot_say_goes_to_ome(tmp_path: Path) -> None:
    for voxel in ({"Z": 0.5}, {"X": 1e-9, "Y": 1e-9}):
        write(
            tmp_path / "a.tif", Image(ramp("ZYX"), "ZYX", voxel, "m", flavour="imagej")
        )
        back = read(tmp_path / "a.tif")
        assert (back.flavour, back.voxel, back.unit) == ("ome", voxel, "m")


@pytest.mark.parametrize(
    ("unit", "found"),
    [
        ("micron", "µm"),
        ("um", "µm"),
        ("\\u00B5m", "µm"),
        ("\\u03BCm", "µm"),
        ("nm", "nm"),
        ("inch", "in"),
        ("millimeter", "mm"),
        ("Nanometers", "nm"),
        ("furlong", "furlong"),
        ("pixel", ""),
    ],
)
def test_units_of_imagej(tmp_path: Path, unit: str, found: str) -> None:
    meta = {"axes": "ZYX", "unit": unit, "spacing": -2.0, "finterval": 5, "tunit": "ms"}
    path = saved(
        tmp_path / "a.tif", ramp("ZYX"), imagej=True, resolution=(4, 2), metadata=meta
    )
    back = read(path)
    voxel = {"Z": 2.0, "Y": 0.5, "X": 0.25} if found else {}
    assert (back.voxel, back.unit, back.interval) == (voxel, found, 0.005)


def test_imagej_without_unit_is_uncalibrated(tmp_path: Path) -> None:
    meta = {"axes": "ZYX", "spacing": 2.0}
    path = saved(
        tmp_path / "a.tif", ramp("ZYX"), imagej=True, resolution=(4, 4), metadata=meta
    )
    assert read(path).voxel == {}


def test_labels_of_slices_are_not_channels(tmp_path: Path) -> None:
    for axes, labels in (("ZYX", list("abcd")), ("ZCYX", list("abcdefgh"))):
        meta = {"axes": axes, "Labels": labels}
        path = saved(tmp_path / "a.tif", ramp(axes), imagej=True, metadata=meta)
        assert read(path).channels == ()


def test_units_of_ome(tmp_path: Path) -> None:
    meta = {"axes": "ZYX", "PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm"}
    meta |= {"PhysicalSizeY": 2.5e-7, "PhysicalSizeYUnit": "m", "PhysicalSizeZ": 1.5}
    meta |= {"TimeIncrement": 2, "TimeIncrementUnit": "min"}
    back = read(saved(tmp_path / "a.tif", ramp("ZYX"), ome=True, metadata=meta))
    assert back.voxel == pytest.approx({"Z": 1.5, "Y": 0.25, "X": 0.25})
    assert (back.unit, back.interval) == ("µm", 120)


@pytest.mark.parametrize(
    ("unit", "resolution", "size"),
    [
        ("CENTIMETER", (50000, 25000), 0.2),
        ("CENTIMETER", (1, 1), None),
        ("CENTIMETER", (118.11, 118.11), None),
        ("INCH", (254000, 127000), 0.1),
        ("INCH", (300, 300), None),
        ("NONE", (5, 5), None),
    ],
)
def test_plain_resolution(
    tmp_path: Path, unit: str, resolution: tuple[int, int], size: float | None
) -> None:
    path = saved(
        tmp_path / "a.tif",
        ramp("YX"),
        metadata=None,
        resolution=resolution,
        resolutionunit=unit,
    )
    back = read(path)
    assert back.voxel == ({"Y": 2 * size, "X": size} if size else {})
    assert back.unit == ("µm" if size else "")
    assert back.flavour == "plain"


# axes


def test_plain_stack_is_time_unless_z_is_preferred(tmp_path: Path) -> None:
    given: tuple[Any, ...] = (None, {})
    for metadata in given:
        path = saved(tmp_path / "a.tif", ramp("ZYX"), metadata=metadata)
        assert read(path).axes == "TYX"
        back = read(path, prefer_z=True)
        assert back.axes == "ZYX"
        np.testing.assert_array_equal(back.pixels, ramp("ZYX"))


@pytest.mark.parametrize(
    ("given", "axes", "preferring"),
    [
        ("QYX", "TYX", "ZYX"),
        ("RIYX", "TZYX", "ZTYX"),
        ("TRYX", "TZYX", "TZYX"),
        ("ZRYX", "ZTYX", "ZTYX"),
        ("RZTYX", "SZTYX", "SZTYX"),
        ("RIQYX", "TZSYX", "ZTSYX"),
        ("QYXS", "TYXC", "ZYXC"),
        ("CYXS", "CYX", "CYX"),
        ("SYX", "CYX", "CYX"),
    ],
)
def test_unknown_axes(tmp_path: Path, given: str, axes: str, preferring: str) -> None:
    pixels = np.zeros([3 if x in "YXS" else 2 for x in given], np.uint8)
    path = saved(tmp_path / "a.tif", pixels, metadata={"axes": given})
    assert read(path).axes == axes
    assert read(path, prefer_z=True).axes == preferring


def test_too_many_unknown_axes(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", np.zeros((2, 2, 2, 2, 5, 5), np.uint8))
    with pytest.raises(AxesError, match=r"shape .* names its axes QQQQYX; name them"):
        read(path)


def test_rgb_samples_are_channels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (4, 6, 5, 3)).astype(np.uint8)
    path = saved(tmp_path / "a.tif", pixels[0], photometric="rgb", metadata=None)
    assert read(path).axes == "YXC"
    np.testing.assert_array_equal(read(path).pixels, pixels[0])
    meta = {"axes": "CYXS"}
    path = saved(tmp_path / "a.tif", pixels, photometric="rgb", ome=True, metadata=meta)
    back = read(path)
    assert (back.axes, back.pixels.shape) == ("CYX", (12, 6, 5))
    np.testing.assert_array_equal(back.pixels[5], pixels[1, ..., 2])


@pytest.mark.parametrize("axes", ["ZYX", "TYX", "YZX", "zyx", "SYX"])
def test_axes_override(tmp_path: Path, axes: str) -> None:
    path = saved(tmp_path / "a.tif", ramp("TYX"), metadata={"axes": "TYX"})
    back = read(path, axes)
    assert back.axes == axes.upper()
    np.testing.assert_array_equal(back.pixels, ramp("TYX"))


def test_axes_override_of_single_dimensions(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", np.zeros((1, 4, 1, 1, 5), "u1"), metadata={})
    assert read(path, "CZTYX").pixels.shape == (1, 4, 1, 1, 5)
    assert read(path, "ZYX").pixels.shape == (4, 1, 5)


@pytest.mark.parametrize("axes", ["YX", "TZYX", "", "ZZX", "ZCX", "QYX", "ZY"])
def test_axes_override_that_does_not_fit(tmp_path: Path, axes: str) -> None:
    path = saved(tmp_path / "a.tif", ramp("ZYX"), metadata={"axes": "ZYX"})
    with pytest.raises(AxesError, match=r"expected .*axes.*, found") as caught:
        read(path, axes)
    message = str(caught.value)
    assert repr(axes) in message
    assert re.search(
        r"holds an array of shape \(4, 5, 3\) .* names its\s+axes ZYX", message
    )
    assert "one letter for each dimension" in message


# encodings


@pytest.mark.parametrize("options", [{}, {"imagej": True}, {"ome": True}])
@pytest.mark.parametrize("compression", ["lzw", "zstd", "deflate", "packbits"])
def test_lossless_compressions(tmp_path: Path, compression: str, options: Any) -> None:
    pixels = ramp("ZYX", Y=40, X=50)
    path = saved(
        tmp_path / "a.tif",
        pixels,
        compression=compression,
        metadata={"axes": "ZYX"},
        **options,
    )
    back = read(path)
    assert back.axes == "ZYX"
    np.testing.assert_array_equal(back.pixels, pixels)


def test_jpeg_tiles_big_endian_and_bits(tmp_path: Path) -> None:
    smooth = (np.add.outer(np.arange(64), np.arange(48)) * 2).astype(np.uint8)
    path = saved(tmp_path / "a.tif", smooth, compression="jpeg")
    assert np.abs(read(path).pixels.astype(int) - smooth).max() <= 4
    path = saved(tmp_path / "a.tif", smooth, tile=(16, 32), compression="zlib")
    np.testing.assert_array_equal(read(path).pixels, smooth)
    path = saved(tmp_path / "a.tif", smooth.astype(">u2"), byteorder=">")
    assert read(path).pixels.dtype == np.uint16
    path = saved(tmp_path / "a.tif", smooth.astype("u2"), bigtiff=True)
    np.testing.assert_array_equal(read(path).pixels, smooth)
    path = saved(tmp_path / "a.tif", smooth > 99)
    assert read(path).pixels.dtype == np.uint8
    np.testing.assert_array_equal(read(path).pixels, smooth > 99)


def test_complex_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", np.zeros((4, 4), np.complex64))
    with pytest.raises(ImageError, match=r"a\.tif, found complex64; save"):
        read(path)


# files that cannot be read

FORMATS: dict[str, dict[str, Any]] = {
    "plain": {"metadata": None},
    "shaped": {"metadata": {"axes": "ZCYX"}},
    "imagej": {"imagej": True, "metadata": {"axes": "ZCYX", "Info": "note " * 9}},
    "ome": {"ome": True, "metadata": {"axes": "ZCYX"}},
    "big": {"metadata": None, "bigtiff": True},
    "tiled": {"metadata": None, "tile": (16, 16)},
}


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_cut_file_is_refused(
    tmp_path: Path, name: str, compression: str | None, capfd: Any
) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 999, (3, 2, 20, 24)).astype(np.uint16)
    whole = encoded(pixels, compression=compression, **FORMATS[name])
    path = tmp_path / "cut.tif"
    path.write_bytes(whole)
    np.testing.assert_array_equal(read(path).pixels.reshape(pixels.shape), pixels)
    # the last bytes may be void: padding, or the resolution of the last page
    for length in range(0, len(whole) - 20, max(1, len(whole) // 24)):
        path.write_bytes(whole[:length])
        with pytest.raises(FileError, match=r"^expected .*cut\.tif.*found") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_pages_lost_from_a_file_of_imagej(tmp_path: Path) -> None:
    whole = encoded(ramp("ZYX"), imagej=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(io.BytesIO(whole)) as tif:
        first = tif.pages.first
        order: Any = {">": "big", "<": "little"}[tif.byteorder]
        end, offset = first.dataoffsets[0] + first.nbytes, first.offset
        at = offset + 2 + 12 * int.from_bytes(whole[offset : offset + 2], order)
    virtual = whole[:at] + bytes(4) + whole[at + 4 : end]  # one page, as > 4 GB has
    path = tmp_path / "a.tif"
    path.write_bytes(virtual)
    with pytest.raises(FileError, match="3 missing; the file is incomplete"):
        read(path)


def test_set_of_files_that_is_not_whole(tmp_path: Path) -> None:
    whole = encoded(ramp("ZYX"), ome=True, metadata={"axes": "ZYX"})
    path = tmp_path / "a.ome.tif"
    path.write_bytes(whole.replace(b'SizeZ="4"', b'SizeZ="9"'))
    with pytest.raises(FileError, match=r"a\.ome\.tif, found 5 missing"):
        read(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"some notes, not an image", "found another kind of file; save it as TIFF"),
        (b"", "found an empty file"),
        (b"II*\0", "found a damaged one"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "found a damaged one"),
    ],
)
def test_not_a_tiff(tmp_path: Path, content: bytes, found: str, capfd: Any) -> None:
    path = tmp_path / "notes.tif"
    path.write_bytes(content)
    with pytest.raises(FileError, match=rf"expected .*notes\.tif, {found}"):
        read(path)
    assert capfd.readouterr() == ("", "")


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"none\.tif, found no such file; check"):
        read(tmp_path / "none.tif")
    with pytest.raises(FileError, match="found a folder; name a file in it"):
        read(tmp_path)
    with pytest.raises(OSError, match="no such file"):
        read(tmp_path / "none.tif")


def test_the_logger_of_tifffile_is_left_as_it_was(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", ramp("ZYX"))
    logger = logging.getLogger("tifffile")
    before = (list(logger.filters), logger.propagate, list(logger.handlers))
    threads = [threading.Thread(target=read, args=(path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (logger.filters, logger.propagate, logger.handlers) == before


# writing


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_the_same_image_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    image = Image(ramp("TZCYX"), "TZCYX", **CALIBRATED, channels=("a", "b"))
    for folder in ("one", "two"):
        write(tmp_path / folder / name, image, description={"model": "m"})
    first, second = (tmp_path / folder / name for folder in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert list(first.parent.iterdir()) == [first]


def test_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for folder in (tmp_path / "file", Path("/proc/none")):
        with pytest.raises(FileError, match=r"expected to write .*a\.tif, found that"):
            write(folder / "a.tif", Image(ramp("YX"), "YX"))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyError(1)])
def test_nothing_half_written_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "a.tif"
    path.write_text("before")

    def fail(tif: tifffile.TiffWriter, *args: Any, **options: Any) -> None:
        tif.filehandle.write(b"half")
        raise error

    monkeypatch.setattr(tifffile.TiffWriter, "write", fail)
    expected = FileError if isinstance(error, OSError) else KeyError
    with pytest.raises(expected):
        write(path, Image(ramp("YX"), "YX"))
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_importing_is_light() -> None:
    code = "import sys, care_runtime.tiff as t; print('tifffile' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


# real files


def manifest() -> list[tuple[str, str, tuple[float, ...]]]:
    """Return name, axes and, where three numbers are given, voxel of each file."""
    if not (DATA / "MANIFEST.md").exists():
        return []
    text = (DATA / "MANIFEST.md").read_text()
    rows = re.findall(r"^\| (\S+\.tif) \| \S+ \((\w+)\) \S+ \| ([^|]*) \|", text, re.M)
    number = r"([\d.]+)"
    found = []
    for name, axes, voxel in rows:
        sizes = re.fullmatch(f"{number} x {number} x {number}", voxel)
        found.append((name, axes, tuple(map(float, sizes.groups())) if sizes else ()))
    return found


REAL = manifest()


@pytest.mark.skipif(not REAL, reason=f"the real images of {DATA} are not here")
@pytest.mark.parametrize(("name", "axes", "sizes"), REAL, ids=[row[0] for row in REAL])
def test_real_files(
    tmp_path: Path, name: str, axes: str, sizes: tuple[float, ...]
) -> None:
    expected, found = raw(DATA / name)
    assert found == axes
    image = read(DATA / name)
    assert image.axes == axes.replace("I", "T")
    assert read(DATA / name, prefer_z=True).axes == axes.replace("I", "Z")
    assert image.voxel == {}  # these copies lost their tags; the manifest says them
    np.testing.assert_array_equal(image.pixels, expected)
    voxel = dict(zip("ZYX", sizes, strict=False))
    write(
        tmp_path / name, Image(image.pixels, image.axes, voxel, "µm" if voxel else "")
    )
    back = read(tmp_path / name)
    assert (back.voxel, back.axes, back.flavour) == (voxel, image.axes, "imagej")
    np.testing.assert_array_equal(back.pixels, expected)


def test_signed_pixels_of_imagej_stay_signed(tmp_path: Path) -> None:
    """ImageJ keeps them as unsigned ones, and says what to take off."""
    said = {"cf": 0, "c0": -32768, "c1": 1, "vunit": "gray value", "min": 0, "max": 9}
    pixels = ramp("YX") + np.uint16(32768)
    path = saved(tmp_path / "a.tif", pixels, imagej=True, metadata=said)
    image = read(path)
    assert image.look.greys == (-32768, 1)
    write(tmp_path / "b.tif", image)
    with tifffile.TiffFile(tmp_path / "b.tif") as tif:
        found = tif.imagej_metadata or {}
    assert {key: found[key] for key in said} == said
    back = read(tmp_path / "b.tif")
    np.testing.assert_array_equal(back.pixels, pixels)
    assert back.look.greys == (-32768, 1)


def test_the_palette_of_8_bit_imagej_files_is_their_lookup_table(
    tmp_path: Path,
) -> None:
    fire = np.arange(3 * 256, dtype=np.uint8).reshape(3, 256)
    path = saved(
        tmp_path / "a.tif",
        ramp("YX").astype(np.uint8),
        photometric="palette",
        colormap=fire.astype(np.uint16) * 257,
        description="ImageJ=1.54f\nunit=um\n",
        metadata=None,
    )
    found = read(path)
    assert found.flavour == "imagej"
    np.testing.assert_array_equal(found.look.luts, [fire])


def test_what_lsm_and_stk_say() -> None:
    lsm = {"VoxelSizeX": 1e-7, "VoxelSizeY": 1e-7, "VoxelSizeZ": 5e-7}
    lsm |= {"TimeIntervall": 2.5, "ChannelColors": {"ColorNames": ["Ch1", "Ch2"]}}
    file, series = SimpleNamespace(lsm_metadata=lsm), SimpleNamespace(kind="lsm")
    found = tiffkinds.calibration(file, series, 2)
    assert found == Calibration(
        "ome", {"Z": 0.5, "Y": 0.1, "X": 0.1}, "µm", 2.5, ("Ch1", "Ch2")
    )
    stk = {"XCalibration": 0.1, "YCalibration": 0.1, "ZDistance": np.array([0.0, 2.0])}
    stk |= {"SpatialCalibration": 1, "CalibrationUnits": "um"}
    file, series = SimpleNamespace(stk_metadata=stk), SimpleNamespace(kind="stk")
    found = tiffkinds.calibration(file, series, 1)
    assert found == Calibration("ome", {"Z": 2.0, "Y": 0.1, "X": 0.1}, "µm")
    file = SimpleNamespace(stk_metadata=stk | {"SpatialCalibration": 0})
    assert tiffkinds.calibration(file, series, 1) == Calibration()
    assert tiffkinds.calibration(file, SimpleNamespace(kind="svs"), 1) is None


def test_a_thumbnail_is_no_second_image(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(ramp("YX"), metadata=None)
        file.write(ramp("YX")[:2, :2], metadata=None, subfiletype=1)
    np.testing.assert_array_equal(read(path).pixels, ramp("YX"))  # and no warning
    with tifffile.TiffWriter(path) as file:
        file.write(ramp("YX"), metadata=None)
        file.write(ramp("YX")[:2], metadata=None, subfiletype=1)  # as wide
    with pytest.warns(SeriesWarning, match="2 images"):
        read(path)


def test_a_tifffile_that_lacks_something_is_not_the_files_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a.tif", ramp("YX"))
    monkeypatch.setattr(tiff, "require_line", lambda tif, path: tif.pages.first.no_such)
    with pytest.raises(FileError, match=rf"tifffile {tifffile.__version__} cannot"):
        read(path)
