"""Registry: what a zoo holds, a line for each package, as pooch writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from care_runtime.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME = "registry.txt"
"""What the registry of a zoo is called."""

INDEX = "index.json"
"""What the rest is called: sizes, descriptions, tasks, licences."""

LARGEST = 1 << 20
"""Bytes of a registry; a line has about a hundred."""

_WORD = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
_FILE = re.compile(rf"{_WORD}/{_WORD}\.zip")
_HASH = re.compile(r"(sha256:)?([0-9a-f]{64})")
_INDEX = re.compile(rf"^# {re.escape(INDEX)} sha256:([0-9a-f]{{64}})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the registry.

    Parameters
    ----------
    file
        ``name/version.zip``, below any address of the zoo.
    sha256
        Of that zip.
    address
        Where it can be had, if the registry says so.
    """

    file: str
    sha256: str
    address: str | None = None

    @property
    def name(self) -> str:
        """Zoo name of the model."""
        return self.file.partition("/")[0]

    @property
    def version(self) -> str:
        """Version of the package."""
        return PurePosixPath(self.file).stem

    def __str__(self) -> str:
        """Write the line."""
        words = (self.file, f"sha256:{self.sha256}", self.address)
        return " ".join(word for word in words if word)


def is_entry(text: str) -> bool:
    """Tell whether a registry may have a package of such a name and version."""
    return bool(_FILE.fullmatch(text))


def parse(text: str, where: str) -> list[Entry]:
    """Read a registry.

    Parameters
    ----------
    text
        Lines ``name/version.zip sha256:HASH [address]``; ``#`` begins a comment.
    where
        Its place, for errors.

    Raises
    ------
    FileError
        If a line is another, or a version stands there twice.
    """
    entries: dict[str, Entry] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        digest = _HASH.fullmatch(words[1]) if len(words) in (2, 3) else None
        if digest is None or not _FILE.fullmatch(words[0]):
            msg = (
                f"{where}, line {number}: expected 'name/version.zip sha256:HASH "
                f"[address]', found {line[:200]!r}: publish the zoo again"
            )
            raise FileError(msg)
        entry = Entry(words[0], digest.group(2), *words[2:])
        if entries.setdefault(entry.file, entry).sha256 != entry.sha256:
            msg = (
                f"{where}, line {number}: expected each version once, found "
                f"{entry.file} twice with different hashes: do not use this zoo"
            )
            raise FileError(msg)
        entries[entry.file] = entry
    return list(entries.values())


def text_of(entries: Iterable[Entry], index: str | None = None) -> str:
    """Write a registry; `parse` and `index_hash` are the inverse.

    Parameters
    ----------
    entries
        Its lines.
    index
        Sha256 of the zoo's index, so that a signature of the registry is one of the
        index, too. Others take that line for a comment.
    """
    lines = [str(entry) for entry in entries]
    if index is not None:
        lines.append(f"# {INDEX} sha256:{index}")
    return "".join(f"{line}\n" for line in lines)


def index_hash(text: str) -> str | None:
    """Read which sha256 the index has to have, if the registry says so once."""
    found = _INDEX.findall(text)
    return found[0] if len(found) == 1 else None


def versions(entries: Sequence[Entry], name: str) -> list[Entry]:
    """List the versions of a model, the newest first."""
    found = [entry for entry in entries if entry.name == name]
    return sorted(found, key=_order, reverse=True)


def newest(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Take the newest version of every model, by name."""
    names = sorted({entry.name for entry in entries})
    return {name: versions(entries, name)[0] for name in names}


def _order(entry: Entry) -> tuple[bool, object]:
    """Sort key of versions: 1.10 is newer than 1.9, and 1.0 than 1.0rc1."""
    from packaging.version import InvalidVersion, Version

    try:
        return True, Version(entry.version)
    except InvalidVersion:
        return False, entry.version
