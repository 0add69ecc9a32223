"""Sources: the zoos of which a model may come, and what each of them lists."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import care_zoo
from care_runtime import cache, registry
from care_runtime.addresses import is_address
from care_runtime.errors import FileError, ModelNotFoundError

if TYPE_CHECKING:
    from care_runtime.registry import Entry

MISSING = (403, 404, 410)
"""What servers answer where there is no such file; S3 says 403."""

LARGEST_INDEX = 16 << 20
"""Bytes of an index; a model has about a thousand."""


@dataclass(frozen=True, slots=True)
class Zoo:
    """A zoo that was named, and what it has.

    Parameters
    ----------
    place
        Folder or address, without a slash at its end.
    entries
        Lines of its registry; those of the project's where it has none of its own, as
        a mirror of the project's files.
    folder
        Where its registry and index lie: itself, or a folder of the cache.
    trouble
        Why it could not be asked, empty if it could.
    """

    place: str
    entries: tuple[Entry, ...]
    folder: Path
    trouble: str = ""

    @property
    def remote(self) -> bool:
        """Whether it is an address."""
        return is_address(self.place)


def own() -> list[Entry]:
    """Read the registry that came with the project."""
    if not care_zoo.REGISTRY.is_file():
        return []  # a checkout without models
    text = care_zoo.REGISTRY.read_text("utf-8")
    return registry.parse(text, str(care_zoo.REGISTRY))


def at_hand() -> list[Entry]:
    """Read those that can be had without naming a zoo: they came along, or have one.

    A wheel brings few packages; the others lie in the checkout, or in a zoo.
    """
    return [e for e in own() if e.address or (care_zoo.MODELS / e.name).is_dir()]


def named(zoo: str | None = None) -> Zoo | None:
    """Open the zoo that was named, or that of ``CARE_ZOO``.

    A zoo at an address is asked for its registry; if it cannot be had, that of the last
    time is taken, and `Zoo.trouble` says so.

    Raises
    ------
    ModelNotFoundError
        If there is no such folder.
    FileError
        If its registry cannot be had or read.
    """
    place = zoo or os.environ.get("CARE_ZOO")
    if not place:
        return None
    if is_address(place):
        return _remote(place.rstrip("/"))
    folder = Path(place).expanduser()
    if not folder.is_dir():
        msg = (
            f"expected a zoo at {place!r}, found no such folder: give --zoo or "
            "CARE_ZOO a folder or an http address"
        )
        raise ModelNotFoundError(msg)
    return Zoo(str(folder), _entries(folder), folder)


def index(zoo: Zoo) -> dict[str, dict[str, Any]]:
    """Read what a zoo says about its packages beside their hashes, by file.

    It is for people alone; where there is none, nothing is said.

    Raises
    ------
    FileError
        If it is there and cannot be read.
    """
    path = zoo.folder / registry.INDEX
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > LARGEST_INDEX:
            raise OverflowError
        models = json.loads(path.read_text("utf-8"))["models"]
        return {str(model["file"]): dict(model) for model in models}
    except (
        ArithmeticError,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        RecursionError,
    ) as error:
        msg = (
            f"expected the index of a zoo in {path}, found that it cannot be read "
            f"({type(error).__name__}): publish the zoo again"
        )
        raise FileError(msg) from error


def _remote(place: str) -> Zoo:
    """Ask a zoo for its lists; offline, take what it said the last time."""
    from care_runtime import download

    key = hashlib.sha256(place.encode()).hexdigest()[:16]
    folder, trouble = cache.folder() / "zoos" / key, ""
    sizes = {registry.NAME: registry.LARGEST, registry.INDEX: LARGEST_INDEX}
    for name, largest in sizes.items():
        try:
            download.fetch(f"{place}/{name}", folder / name, largest=largest)
        except FileError as error:
            if _status(error) not in MISSING:
                trouble = str(error)
                break
            (folder / name).unlink(missing_ok=True)
    return Zoo(place, _entries(folder), folder, trouble)


def _status(error: FileError) -> int | None:
    """Return what the server answered, if it did."""
    answer = getattr(error.__cause__, "response", None)
    return None if answer is None else int(answer.status_code)


def _entries(folder: Path) -> tuple[Entry, ...]:
    """Read a zoo's own registry; a folder without one mirrors the project's."""
    path = folder / registry.NAME
    if not path.is_file():
        return tuple(own())
    try:
        if path.stat().st_size > registry.LARGEST:
            msg = f"{path} has more than {registry.LARGEST} bytes: it is no registry"
            raise FileError(msg)
        return tuple(registry.parse(path.read_text("utf-8"), str(path)))
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, FileError):
            raise
        msg = f"expected a registry in {path}, found that it cannot be read: {error}"
        raise FileError(msg) from error
