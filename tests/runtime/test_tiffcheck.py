"""TIFF files that lie: refused in a line, before memory or disk is taken."""

from __future__ import annotations

import struct
import time
import zlib
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from tiny import one_line

from care_runtime import tiff
from care_runtime.errors import FileError, SeriesWarning

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, LENGTH, STRIPS = 256, 257, 278


def lying(path: Path, changes: dict[int, int], **way: Any) -> Path:
    """Write a small image, and other numbers into its first page's tags."""
    tifffile.imwrite(path, np.ones((64, 64), np.uint16), metadata=None, **way)
    with tifffile.TiffFile(path, mode="r+") as tif:
        for code, value in changes.items():
            tif.pages.first.tags[code].overwrite(value, dtype="I")
    return path


@pytest.mark.parametrize(
    ("changes", "way"),
    [
        ({WIDTH: 0xFFFFFFF0, LENGTH: 0xFFFFFFF0}, {}),
        ({WIDTH: 0xFFFFFFF0, LENGTH: 0xFFFFFFF0}, {"compression": "zlib"}),
        ({LENGTH: 0x7FFFFFFF}, {"compression": "zlib"}),
        ({LENGTH: 0x7FFFFFFF, STRIPS: 0x7FFFFFFF}, {"compression": "zlib"}),
        ({LENGTH: 1 << 24}, {"tile": (16, 16)}),
        ({LENGTH: 1 << 20}, {"tile": (16, 16), "compression": "zlib"}),
        ({LENGTH: 65}, {}),
    ],
)
def test_sizes_that_lie(
    tmp_path: Path, changes: dict[int, int], way: dict[str, Any]
) -> None:
    path = lying(tmp_path / "a.tif", changes, **way)
    begun = time.monotonic()
    with pytest.raises(FileError, match=r"a\.tif") as error:
        tiff.read(path)
    one_line(error.value)
    assert time.monotonic() - begun < 10


SET = """<?xml version="1.0" encoding="UTF-8"?>{before}<OME
xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:0">
<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16"
SizeX="64" SizeY="64" SizeC="1" SizeZ="{z}" SizeT="{t}">{data}</Pixels></Image>{after}
</OME>"""
PART = """<TiffData IFD="0" FirstZ="{z}">
<UUID FileName="{name}">urn:uuid:{z}</UUID></TiffData>"""


def ome(path: Path, data: str = "<TiffData/>", **more: Any) -> Path:
    said = {"before": "", "after": "", "z": 1, "t": 1} | more
    xml = SET.format(data=data, **said)
    tifffile.imwrite(path, np.ones((64, 64), np.uint16), description=xml, metadata=None)
    return path


@pytest.mark.parametrize(
    "more",
    [
        {"t": 10**9},
        {"t": 10**6, "z": 10**6},
        {"t": "nan"},
        {"data": '<TiffData IFD="0" PlaneCount="1000000000"/>'},
        {"after": '<a><M><ModuloAlongT Start="0" End="9e9" Step="1e-9"/></M></a>'},
        {"before": '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>'},
    ],
)
def test_planes_that_lie(tmp_path: Path, more: dict[str, Any]) -> None:
    """tifffile makes a list of them before it looks for any."""
    path = ome(tmp_path / "a.tif", **more)
    with pytest.raises(FileError, match=r"OME-XML.*a\.tif") as error:
        tiff.read(path)
    one_line(error.value)


@pytest.mark.parametrize(
    "name", ["../b.tif", "/dev/zero", "..\\b.tif", "\\\\host\\b.tif", "sub/../../b.tif"]
)
def test_files_from_elsewhere(tmp_path: Path, name: str) -> None:
    place = tmp_path / "here"
    place.mkdir()
    ome(tmp_path / "b.tif")
    parts = PART.format(z=0, name="a.tif") + PART.format(z=1, name=name)
    path = ome(place / "a.tif", parts, z=2)
    with pytest.raises(FileError, match="leads elsewhere") as error:
        tiff.read(path)
    one_line(error.value)
    # That of the file itself is where it once was, and nobody looks there.
    path = ome(place / "a.tif", PART.format(z=0, name=name))
    assert tiff.read(path).pixels.shape == (64, 64)


@pytest.mark.parametrize("name", ["D:\\run\\b.ome.tif", "/never/was/b.ome.tif"])
def test_a_file_out_of_its_set(tmp_path: Path, name: str) -> None:
    """Where the others once were is no harm, as long as nothing is there."""
    parts = PART.format(z=0, name="a.tif") + PART.format(z=1, name=name)
    path = ome(tmp_path / "a.tif", parts, z=2)
    with pytest.raises(FileError) as error:  # half of its planes are missing
        tiff.read(path)
    assert "leads elsewhere" not in str(error.value)
    more = '<Image ID="Image:1"><Pixels ID="Pixels:1" DimensionOrder="XYZCT" '
    more += 'Type="uint16" SizeX="64" SizeY="64" SizeC="1" SizeZ="1" SizeT="1">'
    other = f"{more}{PART.format(z=0, name=name)}</Pixels></Image>"
    path = ome(tmp_path / "a.tif", PART.format(z=0, name="a.tif"), after=other)
    with pytest.warns(SeriesWarning):
        assert tiff.read(path).pixels.shape == (64, 64)


def test_a_set_of_files(tmp_path: Path) -> None:
    parts = [PART.format(z=z, name=f"{z}.tif") for z in range(3)]
    for z in range(3):
        ome(tmp_path / f"{z}.tif", "".join(parts), z=3)
    assert tiff.read(tmp_path / "0.tif").pixels.shape == (3, 64, 64)


def packed(kind: str) -> bytes:
    """Pack 16 x 16 pixels that say they are 60,000 x 60,000, or what they can say."""
    pixels = np.zeros((16, 16), np.uint8)
    kind, _, way = kind.partition(", ")
    if kind == "webp":
        channels = np.zeros((16, 16, 4 if way == "extended" else 3), np.uint8)
        content = bytearray(imagecodecs.webp_encode(channels, lossless=way == "VP8L"))
        if way == "extended":
            content[24:30] = 2 * (60000 - 1).to_bytes(3, "little")
        elif way == "VP8L":
            content[21:25] = ((1 << 28) - 1).to_bytes(4, "little")
        else:
            content[26:30] = 2 * b"\xff\x3f"
    elif kind == "jpegxl":
        content = bytearray(imagecodecs.jpegxl_encode(pixels, usecontainer=bool(way)))
        at = content.index(b"\xff\x0a") + 2
        bits = int.from_bytes(content[at:], "little") >> 9  # those of 16 x 16
        side = 0b10 | 59999 << 2  # in 18 bits
        bits = bits << 44 | side << 24 | 0b000 << 21 | side << 1
        content[at:] = bits.to_bytes(len(content) - at + 5, "little")
        if way:
            content[at - 10 : at - 6] = struct.pack(">I", len(content) - at + 10)
        if way == "in parts":
            box, stream = content[: at - 10], content[at - 2 :]
            parts = [stream[:3], stream[3:]]
            content = box
            for i, part in enumerate(parts):
                content += struct.pack(">I4sI", len(part) + 12, b"jxlp", i) + part
    elif kind == "jpegxr":
        content = bytearray(imagecodecs.jpegxr_encode(pixels))
        at = content.index(b"WMPHOTO") + 12
        if way == "image":
            content[at - 2] &= 0x7F
            content[at : at + 8] = struct.pack(">II", 59999, 59999)
        else:
            for tag in (b"\x80\xbc", b"\x81\xbc"):
                at = content.index(tag) + 8
                content[at : at + 4] = struct.pack("<I", 60000)
    elif kind == "lerc":
        content = bytearray(imagecodecs.lerc_encode(pixels))
        content[14:22] = struct.pack("<II", 60000, 60000)
    elif kind == "jpeg":
        content = bytearray(imagecodecs.jpeg8_encode(pixels))
        at = content.index(b"\xff\xc0") + 5
        content[at : at + 4] = struct.pack(">HH", 60000, 60000)
    elif kind == "png":
        content = bytearray(imagecodecs.png_encode(pixels))
        content[16:24] = struct.pack(">II", 60000, 60000)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    else:
        content = bytearray(imagecodecs.jpeg2k_encode(pixels))
        at = content.index(b"\xff\x4f\xff\x51") + 8
        content[at : at + 8] = struct.pack(">II", 60000, 60000)
    return bytes(content)


LIARS = [
    *("jpeg", "png", "jpeg2000", "lerc", "webp", "webp, VP8L", "webp, extended"),
    *("jpegxl", "jpegxl, in a box", "jpegxl, in parts"),
    *("jpegxr, tags", "jpegxr, image"),
]


@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize("kind", LIARS)
def test_a_tile_that_lies(tmp_path: Path, kind: str, pages: int) -> None:
    """Decoders take memory for what the tile says, not for what the page does."""
    path, content = tmp_path / "a.tif", packed(kind)
    with tifffile.TiffWriter(path) as tif:
        for _ in range(pages):
            tif.write(
                iter([content] * 4),
                shape=(32, 32),
                dtype=np.uint8,
                tile=(16, 16),
                compression=kind.partition(",")[0],
                metadata=None,
            )
    source = tiff.source(path)
    corner = (*[slice(0, 1)] * (len(source.axes) - 2), slice(0, 8), slice(0, 8))
    for read in (lambda: tiff.read(path), lambda: source.window(corner)):
        begun = time.monotonic()
        with pytest.raises(FileError, match=r"a\.tif.*(\d{5}) x \1") as error:
            read()
        one_line(error.value)
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize("kind", ["jpeg2000", "lerc", "webp", "jpegxl", "jpegxr"])
def test_a_tile_of_another_kind(tmp_path: Path, kind: str) -> None:
    """What a decoder would make of it, nobody knows beforehand."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        way: dict[str, Any] = {"shape": (16, 16), "tile": (16, 16), "compression": kind}
        tif.write(iter([b"strange" * 9]), dtype=np.uint8, metadata=None, **way)
    with pytest.raises(FileError, match=r"a\.tif.*does not say its size") as error:
        tiff.read(path)
    one_line(error.value)


@pytest.mark.parametrize(
    "kind", ["jpeg2000", "lerc", "webp", "jpegxl", "jpegxr", "png"]
)
def test_tiles_that_say_the_truth(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tif"
    pixels = np.arange(40 * 50 * 3, dtype=np.uint8).reshape(40, 50, 3)
    way: dict[str, Any] = {"lossless": True} if kind == "webp" else {}
    tifffile.imwrite(path, pixels, compression=kind, compressionargs=way, tile=(16, 32))
    assert np.array_equal(tiff.read(path).pixels, pixels)


def test_a_circle_of_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((3, 8, 8), np.uint8), photometric="minisblack")
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[2]
        first, pointer = tif.pages[0].offset, page.offset + 2 + 12 * len(page.tags)
    content = bytearray(path.read_bytes())
    content[pointer : pointer + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(FileError, match="leads back to itself") as error:
        tiff.read(path)
    one_line(error.value)


def test_a_blank_image_may_shrink(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4000, 4000), np.uint16), compression="zlib")
    assert path.stat().st_size < 100_000
    assert not tiff.read(path).pixels.any()
