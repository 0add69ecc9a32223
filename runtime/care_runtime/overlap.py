"""Overlap: whether what is written would replace an image to read, or lie in one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from care_runtime.errors import OptionError
from care_runtime.npy import PIPE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from care_runtime.reading import Place

    Key = tuple[int, int] | str


@dataclass(frozen=True, slots=True)
class Read:
    """Where images lie that are to be read; `of` makes one.

    Parameters
    ----------
    images
        By what each is known: its real path, and the numbers of its disk and file.
        Where names differ in nothing but small and capital letters, they may be one.
    around
        Of all folders that hold them.
    folders
        Of those that are folders themselves, as OME-Zarr are.
    """

    images: frozenset[Key]
    around: frozenset[Key]
    folders: frozenset[Key]

    @classmethod
    def of(cls, places: Iterable[Place]) -> Read:
        """Look where images lie; addresses and standard input lie nowhere."""
        paths = [each for each in places if isinstance(each, Path) and each != PIPE]
        found = [real(each) for each in paths]
        around = dict.fromkeys(folder for each in found for folder in each.parents)
        inside = [each for each in found if os.path.isdir(each)]  # noqa: PTH112
        return cls(_keys(found), _keys(around), _keys(inside))

    def require_apart(self, place: Path) -> None:
        """Refuse a place where an image would be lost, or changed while it is read.

        Raises
        ------
        OptionError
            With the place.
        """
        if place == PIPE:
            return
        here = real(place)
        own = _keys([here])
        if own & self.images:
            found = "would replace an image to restore"
        elif own & self.around:
            found = "is a folder that holds an image to restore, which would be lost"
        elif self.folders and _keys(here.parents) & self.folders:
            found = "lies in an image to restore, which would be changed"
        else:
            return
        msg = f"{place} {found}: name another output"
        raise OptionError(msg)


def real(place: Path) -> Path:
    """Follow links as far as they lead; those that lead in a circle stay as they are.

    `Path.resolve` raises a RuntimeError of them before Python 3.13.
    """
    return Path(os.path.realpath(place))


def _keys(places: Iterable[Path]) -> frozenset[Key]:
    """Say by what places are known, whatever they are called."""
    found: set[Key] = set()
    for place in places:
        found.add(str(place))
        try:
            stat = place.stat()
        except OSError:  # it is not there, or may not be looked at
            continue
        if stat.st_ino:
            found.add((stat.st_dev, stat.st_ino))
    return frozenset(found)
