"""OME sets: images of which several OME-TIFF files hold the planes.

Each file of a set tells of all its images, or names a companion file that does. Which
image is meant by one file alone, and which files belong to it, is found here.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from care_runtime.errors import SeriesWarning
from care_runtime.omecheck import leads_out, require_modest
from care_runtime.tiffcheck import quiet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SUFFIXES = (".ome.tif", ".ome.tiff", ".ome.tf2", ".ome.tf8", ".ome.btf")
"""Names of files that may belong to a set."""

MOST = 1 << 28
"""Bytes of a companion file; it is text."""


@dataclass(frozen=True, slots=True)
class Planes:
    """Some planes of an image.

    Parameters
    ----------
    file
        Name of the file that holds them.
    start, stop
        Pages of the file; it is not always said where they end.
    """

    file: str
    start: int
    stop: float

    def hold(self, page: Any) -> bool:
        """Tell whether a page of an open file is one of them."""
        here = same(page.parent.filename, self.file)
        return here and bool(self.start <= page.index < self.stop)


@contextmanager
def opened(path: Path, xml: str | None = None) -> Iterator[Any]:
    """Open a TIFF file; what its OME-XML says of its images comes first.

    Micro-Manager also writes an index of its own, which tifffile prefers: it knows
    neither sizes nor names, and takes the files of all positions for one image.

    Parameters
    ----------
    path
        The file.
    xml
        OME-XML to be used instead of its own.
    """
    import tifffile

    with tifffile.TiffFile(path, omexml=xml) as tif:
        if tif.is_ome:
            tif.is_mmstack = False
        yield tif


def companion(tif: Any, path: Path) -> str | None:
    """Read the OME-XML of a file that names another one for it; None if it does not.

    Warns
    -----
    SeriesWarning
        If the other file is not there: its image is known by its pixels alone then.

    Raises
    ------
    FileError
        If that XML is none to be read.
    """
    said = tif.ome_metadata
    if said is None or "BinaryOnly" not in said:
        return None
    require_modest(said, path)
    root = _root(said)
    binary = None if root is None else root.find("{*}BinaryOnly")
    if binary is None:
        return None
    name = binary.get("MetadataFile", "")
    place = path.parent / name
    xml = None if not name or leads_out(name, path) else _text(place)
    require_modest(xml, path)
    if _root(xml) is None:
        msg = (
            f"{path} names {name!r} for its axes and calibration, which cannot be read:"
            " place it beside, or give --axes and check the voxel size"
        )
        warnings.warn(msg, SeriesWarning, stacklevel=2)
        return None
    return xml


def planes(xml: str, path: Path) -> list[list[Planes]]:
    """List where the planes of every image lie, in the order of the images."""
    root = _root(xml)
    if root is None:
        return []
    return [
        [
            _planes(data, root, path.name)
            for data in image.iterfind("{*}Pixels/{*}TiffData")
        ]
        for image in root.iterfind("{*}Image")
    ]


def number(series: Any, xml: str, path: Path) -> int | None:
    """Say which image of the XML a series is; tifffile leaves out those of no pages."""
    first = next((page for page in series if page is not None), None)
    images = planes(xml, path)
    found = [i for i, each in enumerate(images) if any(p.hold(first) for p in each)]
    return found[0] if first is not None and found else None


def here(series: Sequence[Any], path: Path) -> list[Any]:
    """List the series of which planes lie in this very file; all, if there is none."""

    def lies_here(page: Any) -> bool:
        return page is not None and same(page.parent.filename, path.name)

    return [s for s in series if any(map(lies_here, s))] or list(series)


def files(path: Path) -> tuple[Path, ...]:
    """List the files, in order, that hold the image of which this one holds planes.

    What is no OME-TIFF, or cannot be read, is a set of its own.
    """
    if not path.name.lower().endswith(SUFFIXES):
        return (path,)
    try:
        with quiet(), opened(path) as tif, warnings.catch_warnings():
            warnings.simplefilter("ignore", SeriesWarning)
            xml = companion(tif, path) or tif.ome_metadata or ""
        require_modest(xml, path)
        images = [{each.file for each in image} for image in planes(xml, path)]
        names = next((n for n in images if any(same(path.name, m) for m in n)), set())
        beside = {path.with_name(n) for n in names if not same(path.name, n)}
        return tuple(sorted({each for each in beside if each.exists()} | {path}))
    except Exception:  # whatever is wrong is told when it is read
        return (path,)


def same(first: str, second: str) -> bool:
    """Tell whether two names are those of one file, to Windows at least."""
    return first.lower() == second.lower()


def _planes(data: ElementTree.Element, root: ElementTree.Element, own: str) -> Planes:
    uuid, name = data.find("{*}UUID"), own
    if uuid is not None and uuid.text != root.get("UUID"):
        name = uuid.get("FileName", own)
    start, one = int(data.get("IFD", 0)), "" if data.get("IFD") is None else "1"
    count = data.get("PlaneCount", data.get("NumPlanes", one))
    return Planes(name, start, start + int(count) if count else float("inf"))


def _root(xml: str | None) -> ElementTree.Element | None:
    try:
        return None if xml is None else ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None


def _text(place: Path) -> str | None:
    """Read XML: of a companion file, or of a TIFF that says all for its set."""
    try:
        if place.name.lower().endswith(SUFFIXES):
            with opened(place) as tif:
                xml: str | None = tif.ome_metadata
                return xml
        if place.stat().st_size <= MOST:
            return place.read_text("utf-8")
    except Exception:  # it is not there, or no such file
        return None
    return None
