"""Arrival: whether an image that somebody writes is there as a whole."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from care_runtime import reading
from care_runtime.errors import CareError, FileError

if TYPE_CHECKING:
    from pathlib import Path

    from care_runtime.batch import Options


@dataclass(frozen=True, slots=True)
class Mark:
    """By what a change is seen: files, bytes, and the latest time of change in ns."""

    files: int
    size: int
    changed: int


def mark(file: Path) -> Mark | None:
    """See how an image is, a file or a folder of files; None if it is gone."""
    try:
        if not file.is_dir():
            stat = file.stat()
            return Mark(1, stat.st_size, stat.st_mtime_ns)
        stats = [
            os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 (many of them)
            for folder, _, names in os.walk(file)
            for name in names
        ]
    except OSError:
        return None
    latest = max((stat.st_mtime_ns for stat in stats), default=0)
    return Mark(len(stats), sum(stat.st_size for stat in stats), latest)


def incomplete(file: Path, chosen: Options) -> str:
    """Say what an image lacks; nothing if it can be opened and has all its pixels."""
    try:
        with warnings.catch_warnings():  # they are told when it is restored
            warnings.simplefilter("ignore")
            reading.source(file, chosen.axes, series=chosen.selection.series)
    except FileError as error:
        return " ".join(str(error).split())
    except CareError:
        pass  # it is whole, and fails for another reason
    return ""
