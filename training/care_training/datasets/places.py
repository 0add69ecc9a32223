"""Places: where files lie in an archive, whatever folder it was packed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_runtime.errors import FileError
from care_runtime.reading import TIFF

if TYPE_CHECKING:
    from pathlib import Path


def find(folder: Path, name: str) -> Path:
    """Find a file or folder of a data set, at its top or in the folders below.

    Archives were packed with a folder around their contents or without one.

    Parameters
    ----------
    folder
        That the archive was unpacked to.
    name
        Such as ``"test_data"`` or ``"train_data/data_label.npz"``; of several, the one
        nearest to the top is taken.

    Raises
    ------
    FileError
        If there is none.
    """
    places = sorted(folder.rglob(name), key=lambda p: (len(p.parts), p.as_posix()))
    if not places:
        inside = (
            sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        )
        found = ", ".join(inside[:8]) or "nothing"
        msg = (
            f"expected {name!r} somewhere in {folder}, found {found}: give the folder "
            "that the archive of this data set was unpacked to"
        )
        raise FileError(msg)
    return places[0]


def tiffs(folder: Path) -> list[Path]:
    """List the TIFF files in a folder and below it, those nearest to the top first."""
    found = [path for path in folder.rglob("*") if path.suffix.lower() in TIFF]
    return sorted(found, key=lambda path: (len(path.parts), path.as_posix()))
