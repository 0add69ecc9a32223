"""OME sets: one image in several files, several images in one set, and units."""

from __future__ import annotations

import shutil
import warnings
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import micromanager
import numpy as np
import pytest
import tifffile
from tiny import one_line

from care_runtime import batch, finding, identity, omeset, reading, units
from care_runtime import watch as watch_
from care_runtime.errors import FileError, SeriesWarning
from care_runtime.image import Image
from care_runtime.tiff import read, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_runtime.restore import Restorer

SPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
SIZES = 'DimensionOrder="XYZCT" Type="uint16" SizeX="6" SizeY="5" SizeZ="1" SizeT="1"'


def uuid(name: str) -> str:
    return f"urn:uuid:{name}"


def image(name: str, voxel: float, planes: list[tuple[str, int]]) -> str:
    """Describe an image of which each channel is a page of a file."""
    channels = "".join(
        f'<Channel ID="Channel:{name}:{i}" Name="{name}{i}" SamplesPerPixel="1"/>'
        for i in range(len(planes))
    )
    data = "".join(
        f'<TiffData FirstC="{i}" IFD="{page}" PlaneCount="1">'
        f'<UUID FileName="{file}">{uuid(file)}</UUID></TiffData>'
        for i, (file, page) in enumerate(planes)
    )
    return (
        f'<Image ID="Image:{name}" Name="{name}"><Pixels ID="Pixels:{name}" {SIZES} '
        f'SizeC="{len(planes)}" PhysicalSizeX="{voxel}" PhysicalSizeY="{voxel}">'
        f"{channels}{data or '<MetadataOnly/>'}</Pixels></Image>"
    )


def ome(file: str, *parts: str) -> str:
    return f'<OME xmlns="{SPACE}" UUID="{uuid(file)}">{"".join(parts)}</OME>'


def save(path: Path, xml: str, *greys: int) -> Path:
    """Write planes, each of one grey value."""
    pixels = np.stack([np.full((5, 6), grey, np.uint16) for grey in greys])
    options = {"photometric": "minisblack", "metadata": None}
    tifffile.imwrite(path, pixels, description=xml.encode(), **options)
    return path


def positions(folder: Path) -> list[Path]:
    """Write two positions of a stage as Micro-Manager does: each file tells of both."""
    names = ["pos0.ome.tif", "pos1.ome.tif"]
    said = [
        image(f"p{i}", (i + 1) / 10, [(name, 0), (name, 1)])
        for i, name in enumerate(names)
    ]
    return [
        save(folder / name, ome(name, *said), 100 * i + 1, 100 * i + 2)
        for i, name in enumerate(names)
    ]


def channels(folder: Path) -> list[Path]:
    """Write two channels of one image into a file each."""
    names = ["c0.ome.tif", "c1.ome.tif"]
    said = image("cell", 0.1, [(name, 0) for name in names])
    return [save(folder / n, ome(n, said), 10 * i + 1) for i, n in enumerate(names)]


def greys(found: Image) -> list[int]:
    assert found.axes == "CYX"
    return [int(plane.mean()) for plane in found.pixels]


@pytest.mark.parametrize("number", [0, 1])
def test_a_file_of_a_set_means_the_image_that_it_holds(
    tmp_path: Path, number: int
) -> None:
    found = read(positions(tmp_path)[number])
    assert greys(found) == [100 * number + 1, 100 * number + 2]
    assert found.name == f"p{number}"
    assert found.channels == (f"p{number}0", f"p{number}1")
    assert found.voxel == {"Y": (number + 1) / 10, "X": (number + 1) / 10}


def test_every_image_of_a_set_can_be_named(tmp_path: Path) -> None:
    for path in positions(tmp_path):
        for number, asked in enumerate(("p0", "p1")):
            source = reading.source(path, series=asked)
            assert greys(source.read()) == [100 * number + 1, 100 * number + 2]
            assert source.calibration.voxel["X"] == (number + 1) / 10


@pytest.mark.parametrize("asked", [None, 0, "p1"])
def test_an_image_is_known_where_the_others_are_not_there(
    tmp_path: Path, asked: int | str | None
) -> None:
    path = positions(tmp_path)[1]
    shutil.move(path, tmp_path / "renamed.ome.tif")
    (tmp_path / "pos0.ome.tif").unlink()
    source = reading.source(tmp_path / "renamed.ome.tif", series=asked)
    assert greys(source.read()) == [101, 102]
    assert source.calibration.voxel == {"Y": 0.2, "X": 0.2}
    assert source.calibration.channels == ("p10", "p11")


def test_an_image_without_pixels_is_not_counted(tmp_path: Path) -> None:
    name = "a.ome.tif"
    said = [image("none", 9.0, []), image("cell", 0.1, [(name, 0)])]
    found = read(save(tmp_path / name, ome(name, *said), 7))
    assert (found.name, found.voxel) == ("cell", {"Y": 0.1, "X": 0.1})


def test_one_image_in_several_files_is_found_once(tmp_path: Path) -> None:
    first, second = channels(tmp_path)
    assert omeset.files(first) == omeset.files(second) == (first, second)
    assert finding.sources([tmp_path]) == [first]
    assert finding.sources([second]) == [second]
    assert finding.sources([second, first]) == [second]
    assert greys(read(first)) == greys(read(second)) == [1, 11]


def test_images_beside_each_other_are_all_found(tmp_path: Path) -> None:
    files = positions(tmp_path)
    assert finding.sources([tmp_path]) == files
    assert omeset.files(files[0]) == (files[0],)


def test_what_is_no_set_stands_for_itself(tmp_path: Path) -> None:
    for name, content in (
        ("a.ome.tif", b"no TIFF"),
        ("b.tif", b""),
        ("no.ome.tif", b""),
    ):
        path = tmp_path / name
        if content:
            path.write_bytes(content)
        assert omeset.files(path) == (path,)


def test_a_restoration_knows_the_other_files_of_its_set(tmp_path: Path) -> None:
    first, second = channels(tmp_path)
    before = identity.of_source(first)
    assert before == identity.of_source(first)
    save(second, tifffile.tiffcomment(second), 99)
    assert identity.of_source(first) != before


def companion(folder: Path, name: str = "set.companion.ome") -> list[Path]:
    """Write two channels into a file each, which name a third one for their XML."""
    names = ["c0.ome.tif", "c1.ome.tif"]
    binary = f'<BinaryOnly MetadataFile="{name}" UUID="{uuid("set")}"/>'
    return [save(folder / n, ome(n, binary), 10 * i + 1) for i, n in enumerate(names)]


def test_a_companion_file_tells_of_the_image(tmp_path: Path) -> None:
    files = companion(tmp_path)
    said = image("cell", 0.1, [(file.name, 0) for file in files])
    (tmp_path / "set.companion.ome").write_text(ome("set", said), "utf-8")
    for path in files:
        found = read(path)
        assert greys(found) == [1, 11]
        assert (found.flavour, found.channels) == ("ome", ("cell0", "cell1"))
        assert found.voxel == {"Y": 0.1, "X": 0.1}
        assert omeset.files(path) == tuple(files)


@pytest.mark.parametrize("where", ["file", "companion"])
def test_xml_that_defines_a_language_is_not_read(tmp_path: Path, where: str) -> None:
    bomb = '<!DOCTYPE OME [<!ENTITY a "aaaa">]>'
    binary = '<BinaryOnly MetadataFile="c.companion.ome"/>'
    path, head = tmp_path / "a.ome.tif", bomb if where == "file" else ""
    save(path, head + ome("a.ome.tif", binary), 1)
    said = image("cell", 0.1, [("a.ome.tif", 0)])
    text = ("" if where == "file" else bomb) + ome("set", said)
    (tmp_path / "c.companion.ome").write_text(text, "utf-8")
    with pytest.raises(FileError, match="language of its own") as error:
        read(path)
    one_line(error.value)
    assert omeset.files(path) == (path,)


@pytest.mark.parametrize("name", ["gone.companion.ome", "../set.companion.ome", ""])
def test_a_companion_that_is_not_there_is_missed(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "set.companion.ome").write_text(ome("set"), "utf-8")
    path = companion(folder, name)[0]
    with pytest.warns(SeriesWarning, match="voxel size") as caught:
        found = read(path)
    assert str(caught[0].message).count("\n") == 0
    assert found.axes == "YX"
    assert found.voxel == {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert omeset.files(path) == (path,)


@pytest.mark.parametrize(
    ("unit", "said"), [("furlong", "reference frame"), ("in", "in"), ("nm", "nm")]
)
def test_ome_has_a_word_for_every_unit(tmp_path: Path, unit: str, said: str) -> None:
    path = tmp_path / "a.ome.tif"
    write(path, Image(np.zeros((5, 6), np.uint8), "YX", {"Y": 2.0, "X": 2.0}, unit))
    root = ElementTree.fromstring(tifffile.tiffcomment(path))
    pixels = root.find("{*}Image/{*}Pixels")
    assert pixels is not None
    assert (pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit")) == (
        "2.0",
        said,
    )


def test_units_have_many_names() -> None:
    for name in ("um", "micron", "Micrometers", "\u03bcm", "µm"):
        assert units.length(name) == "µm"
    assert units.length("mm") == "mm"
    assert units.length("Mm") == "Mm"  # a megametre
    names = {
        "sec": 1,
        "seconds": 1,
        "msec": 1e-3,
        "minutes": 60,
        "hr": 3600,
        "d": 86400,
    }
    assert {name: units.seconds(name) for name in names} == names
    assert units.seconds("fortnight") is None


def test_white_at_zero_stays_white(tmp_path: Path) -> None:
    pixels = np.arange(30, dtype=np.uint8).reshape(5, 6)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    write(tmp_path / "b.tif", read(tmp_path / "a.tif"))
    with tifffile.TiffFile(tmp_path / "b.tif") as tif:
        np.testing.assert_array_equal(tif.asarray(), pixels)
        lut = (tif.imagej_metadata or {})["LUTs"]
    np.testing.assert_array_equal(lut, np.arange(256)[::-1] * np.ones((3, 1)))
    assert read(tmp_path / "b.tif").look.hues == ("FFFFFF",)


def test_a_set_is_said_to_be_incomplete(tmp_path: Path) -> None:
    first, second = channels(tmp_path)
    second.unlink()
    with pytest.raises(FileError, match="not beside it") as error:
        read(first)
    one_line(error.value)


def test_a_pattern_in_a_folder_with_brackets(tmp_path: Path) -> None:
    folder = tmp_path / "run [1]"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", np.zeros((4, 5), np.uint8))
    assert finding.sources([folder / "*.tif"]) == [folder / "a.tif"]
    assert finding.sources([tmp_path / "run*" / "*.tif"]) == [folder / "a.tif"]


def test_a_set_that_is_watched_is_restored_once(
    tmp_path: Path, restorer: Callable[..., Restorer]
) -> None:
    (tmp_path / "in").mkdir()
    second, now = channels(tmp_path / "in")[1], [0.0]
    second.rename(tmp_path / "late")

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if now[0] == 30:
            (tmp_path / "late").rename(second)
        if now[0] > 60:
            raise KeyboardInterrupt

    pace = watch_.Pace(1, 5, 40, lambda: now[0], sleep)
    watch = watch_.Watch((tmp_path / "in",), tmp_path / "out", pace=pace)
    made = restorer("unet2d")
    told = watch_.follow(watch, lambda *args: batch.run(made, *args), lambda _: None)
    assert [(r.status, r.target.name) for r in told] == [("done", "c0.ome.tif")]
    assert read(tmp_path / "out" / "c0.ome.tif").pixels.shape == (2, 5, 6)


def test_micromanager_says_in_ome_what_its_index_does_not_know(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = {f"Pos{i}": rng.integers(0, 9999, (2, 3, 2, 9, 8), "u2") for i in range(2)}
    paths = micromanager.write(tmp_path, made)
    with tifffile.TiffFile(paths[0]) as tif:
        assert tif.is_mmstack
        assert tif.series[0].kind == "mmstack"
    for path, pixels in zip(paths, made.values(), strict=True):
        found = read(path)
        np.testing.assert_array_equal(found.pixels, pixels)  # of its own position
        assert (found.axes, found.flavour) == ("TZCYX", "ome")
        assert (found.voxel, found.unit) == ({"Z": 2.0, "Y": 0.1, "X": 0.1}, "µm")
        assert (found.interval, found.channels) == (0.5, ("DAPI", "GFP"))
    assert finding.sources([tmp_path]) == paths
