"""Journal: what of a restoration is done, line by line, safe from a sudden end."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from care_runtime.errors import FileError
from care_runtime.files import unwritable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Record = dict[str, Any]

FAR = 1 << 40
"""Place of the byte that is locked on Windows."""


@dataclass(slots=True)
class Journal:
    """A file of JSON lines that is open for more; `opened` makes one.

    A line counts once it is whole: the last one may be torn where a process ended.
    """

    path: Path
    _file: int
    _end: int

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a record, and return when it is on the disk.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        line = json.dumps(record, ensure_ascii=True).encode() + b"\n"
        try:
            os.ftruncate(self._file, self._end)  # of a line that was interrupted
            os.lseek(self._file, self._end, os.SEEK_SET)
            left = line
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._end += len(line)

    def clear(self) -> None:
        """Forget all records."""
        self._end = 0

    def close(self) -> None:
        """Leave it to others."""
        os.close(self._file)


def opened(path: Path) -> tuple[Journal, list[Record]]:
    """Open a journal, or make one, and read what it says.

    Raises
    ------
    FileError
        If it cannot be opened, or another process goes on with it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise unwritable(path, error) from error
    if not _locked(file):
        os.close(file)
        msg = (
            f"expected {path.parent} to be free, found that another process restores "
            "the same image: wait for it, or name another output"
        )
        raise FileError(msg)
    records, end = read(path.read_bytes())
    return Journal(path, file, end), records


def read(content: bytes) -> tuple[list[Record], int]:
    """Read the records that are whole, and tell where they end."""
    records: list[Record] = []
    end = 0
    for line in content.splitlines(keepends=True):
        try:
            record = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            record = None
        if not isinstance(record, dict):
            break
        records.append(record)
        end += len(line)
    return records, end


def _locked(file: int) -> bool:
    """Take it for this process alone, where the system can."""
    if sys.platform == "win32":
        import msvcrt

        # A byte far behind its end: what is locked there, nobody else may read.
        os.lseek(file, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
