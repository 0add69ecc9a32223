"""OME-XML that lies: planes that no file has, and files from elsewhere.

tifffile makes a list of as many planes as the XML tells of, and opens the files that it
names, wherever they lie. Of those that are not there it leaves the planes out: a file
that was renamed, or copied out of its set, may well name where it was recorded.
"""

from __future__ import annotations

import math
import os
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from care_runtime.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLANES = 1 << 24
"""Planes of all images of a file; a list of them takes 128 MB."""

COUNTS = ("NumPlanes", "PlaneCount")
"""How many planes a part of them has, in older and newer versions."""


def require_modest(xml: str | None, path: Path) -> None:
    """Raise if OME-XML tells of more planes than any file has, or of files elsewhere.

    Parameters
    ----------
    xml
        Description of a TIFF file; None if it has none of that kind.
    path
        Name of the file, for the error.

    Raises
    ------
    FileError
        If it does.
    """
    if xml is None:
        return
    if "<!DOCTYPE" in xml:
        msg = (
            f"expected OME-XML in {path}, found one that defines a language of its "
            "own: refused; have the image saved as OME-TIFF again"
        )
        raise FileError(msg)
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return  # tifffile takes it for another kind of file
    planes = sum(_counts(root))
    if not planes <= PLANES:  # or it is no number
        msg = (
            f"expected at most {PLANES} planes in the OME-XML of {path}, found "
            f"{planes:g}: it lies about its size, or is damaged; copy it again from "
            "where it was recorded"
        )
        raise FileError(msg)
    for name in _opened(root, path):
        if leads_out(name, path):
            msg = (
                f"expected the files of a set beside {path}, found {name!r} in its "
                "OME-XML, which leads elsewhere: do not use it, or place them together"
            )
            raise FileError(msg)


def _counts(root: ElementTree.Element) -> Iterator[float]:
    """Go through all that is counted in planes."""
    for pixels in root.iterfind(".//{*}Pixels"):
        sizes = [float(pixels.get(f"Size{axis}", 1)) for axis in "CZT"]
        yield abs(math.prod(sizes))
    for data in root.iterfind(".//{*}TiffData"):
        yield max(abs(float(data.get(key, 0))) for key in COUNTS)
    for along in root.iter():
        if along.get("Start") and along.tag[:-1].endswith("Along"):
            length = float(along.get("End", 0)) - float(along.get("Start", 0))
            step = float(along.get("Step", 1))
            yield abs(length / step) if step else math.inf


def _opened(root: ElementTree.Element, path: Path) -> Iterator[str]:
    """Go through the names of other files that belong to an image."""
    for uuid in root.iterfind(".//{*}TiffData/{*}UUID"):
        name = uuid.get("FileName", "")
        own = uuid.text == root.get("UUID") or name.lower() == path.name.lower()
        if not own:
            yield name


def leads_out(name: str, path: Path) -> bool:
    """Tell whether a file is named that can be opened, and does not lie here or below.

    Of another machine, it would be asked for merely to see whether it is there.
    """
    here, there = PurePosixPath(name), PureWindowsPath(name)
    if name.startswith(("//", "\\\\")):
        return True
    absolute = here.is_absolute() or there.is_absolute() or there.root or there.drive
    outside = bool(absolute) or ".." in there.parts
    try:
        # tifffile takes the dots out before it opens anything.
        places = [
            os.path.normpath(path.parent / each) for each in (name, there.as_posix())
        ]
        return outside and any(os.path.lexists(place) for place in places)
    except ValueError:  # no name that a system has
        return True
