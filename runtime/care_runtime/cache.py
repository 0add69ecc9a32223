"""Cache: the folder for what was fetched, and what it holds."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from care_runtime.errors import CareError, FileError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGES, UNPACKED = "packages", "unpacked"
KINDS = {
    PACKAGES: "package",
    "downloads": "package by its address",
    UNPACKED: "unpacked package",
    "zoos": "list of a zoo",
    "trials": "note of a first run",
    "locks": "lock",
}
"""Folders of the cache, and what lies in them. Nothing else is ever removed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A thing in the cache.

    Parameters
    ----------
    kind
        What it is, in words.
    name
        ``NAME@VERSION`` of a package, else its file's name.
    path
        Where it lies.
    size
        Bytes.
    """

    kind: str
    name: str
    path: Path
    size: int


def folder() -> Path:
    """Folder for what was fetched: ``CARE_HOME``, or the platform's cache folder."""
    if home := os.environ.get("CARE_HOME"):
        return Path(home)
    import pooch

    return Path(pooch.os_cache("care-zoo"))


def downloaded(address: str) -> Path:
    """Say where a package lies that a person gave the address of."""
    name = address.partition("?")[0].rstrip("/").rpartition("/")[2]
    safe = "".join(c for c in name if c.isascii() and (c.isalnum() or c in "._-"))
    key = hashlib.sha256(address.encode()).hexdigest()[:24]
    return folder() / "downloads" / f"{key}-{safe[-80:].lstrip('.') or 'package'}"


def kept() -> list[Kept]:
    """List what is in the cache, but for locks."""
    found = []
    for part, kind in KINDS.items():
        pattern = "*/*" if part == PACKAGES else "*"
        for path in sorted((folder() / part).glob(pattern)):
            if part != "locks":
                found.append(Kept(kind, _name(part, path), path, _size(path)))
    return found


def clean(names: Sequence[str] = ()) -> list[Kept]:
    """Remove what is in the cache; what others put there stays.

    Parameters
    ----------
    names
        Models, as ``NAME`` or ``NAME@VERSION``, of which packages are removed, unpacked
        ones too; none for all there is.

    Returns
    -------
    list of Kept
        What was removed.

    Raises
    ------
    ModelNotFoundError
        If there is no package of a name.
    FileError
        If something cannot be removed.
    """
    chosen = kept()
    if names:
        for name in names:
            if not any(_matches(item, name) for item in chosen):
                msg = (
                    f"expected the name of a package in the cache, found {name!r}: see "
                    "care-run cache list"
                )
                raise ModelNotFoundError(msg)
        named = [item for item in chosen if any(_matches(item, n) for n in names)]
        files = [item.path for item in named if item.path.is_file()]
        unpacked = {_hash(path) for path in files}  # they bear the zip's hash
        more = [i for i in chosen if i.path.name in unpacked and i not in named]
        chosen = named + more
    for item in chosen:
        _remove(item.path)
    return chosen


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _matches(item: Kept, name: str) -> bool:
    package = item.kind in (KINDS[PACKAGES], KINDS[UNPACKED])
    if "://" in name:
        return item.path == downloaded(name)
    return name in (item.name, item.path.name) or (
        package and name == item.name.partition("@")[0]
    )


def _name(part: str, path: Path) -> str:
    if part == PACKAGES and path.suffix == ".zip":
        return f"{path.parent.name}@{path.stem}"
    return _described(path) if part == UNPACKED else path.name


def _described(folder: Path) -> str:
    """Name an unpacked package as it calls itself, or by its hash if it cannot."""
    from care_runtime import package

    try:
        found = package.read(folder, folder.parent.parent)
    except CareError:
        return folder.name
    return f"{found.spec.name}@{found.version}"


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(p.lstat().st_size for p in path.rglob("*"))
    return path.lstat().st_size


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        msg = (
            f"expected to remove {path}, found that it stays ({error.strerror}): close "
            "what uses it, and try again"
        )
        raise FileError(msg) from error
