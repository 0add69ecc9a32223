"""TIFF files that lie: refused in a line, before memory or disk is taken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from tiny import one_line

from care_runtime import tiff
from care_runtime.errors import FileError

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
