"""Sources: the zoos of which a model may come, and what each of them lists."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import care_zoo
from care_runtime import cache, lists, registry, signature
from care_runtime.addresses import is_address
from care_runtime.errors import FileError, ModelNotFoundError, OptionError
from care_runtime.lists import Lists

if TYPE_CHECKING:
    from care_runtime.registry import Entry
    from care_runtime.signature import Key


@dataclass(frozen=True, slots=True)
class Zoo:
    """A zoo that was named, and what it has.

    Parameters
    ----------
    place
        Folder or address, without a slash at its end.
    lists
        Its registry; the project's where it has none of its own, as a mirror of the
        project's files.
    folder
        Where its registry and index lie: itself, or a folder of the cache.
    trouble
        Why it could not be asked, empty if it could.
    """

    place: str
    lists: Lists
    folder: Path
    trouble: str = ""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Lines of its registry."""
        return self.lists.entries

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


def named(zoo: str | Zoo | None = None, key: str | None = None) -> Zoo | None:
    """Open the zoo that was named, or that of ``CARE_ZOO``; an open one stays as it is.

    A zoo at an address is asked for its registry; if it cannot be had, that of the last
    time is taken, and `Zoo.trouble` says so.

    Parameters
    ----------
    zoo
        Folder or address, or what was opened before, which is not asked again.
    key
        Public key with which its lists have to be signed, or a file that holds it; by
        default that of ``CARE_ZOO_KEY``.

    Raises
    ------
    ModelNotFoundError
        If there is no such folder.
    FileError
        If its registry cannot be had or read, or is not signed as it has to be.
    OptionError
        If the key is none, or was given without a zoo.
    """
    if isinstance(zoo, Zoo):
        return zoo
    place = zoo or os.environ.get("CARE_ZOO")
    if not place:
        if key is not None:
            msg = (
                "expected --zoo or CARE_ZOO with --key, found none: the models that "
                "came with care-zoo are not signed"
            )
            raise OptionError(msg)
        return None
    known = signature.configured(key)
    if is_address(place):
        return _remote(place.rstrip("/"), known)
    folder = Path(place).expanduser()
    if not folder.is_dir():
        msg = (
            f"expected a zoo at {place!r}, found no such folder: give --zoo or "
            "CARE_ZOO a folder or an http address"
        )
        raise ModelNotFoundError(msg)
    return _opened(str(folder), folder, known)


def reached(zoo: str | Zoo | None, key: str | None) -> Zoo | None:
    """Open a zoo as `named` does, to tell what it has.

    Raises
    ------
    FileError
        If it cannot be asked, and never was; or is a folder with none of its own and
        none of ours.
    """
    found = named(zoo, key)
    if found is None or (found.folder / registry.NAME).is_file():
        return found
    if found.trouble:
        raise FileError(found.trouble)
    if not found.remote and not any((found.folder / e.name).is_dir() for e in own()):
        msg = (
            f"expected a zoo in {found.place}, found a folder without {registry.NAME}: "
            "name another, or make one with care-train publish"
        )
        raise FileError(msg)
    return found


def index(zoo: Zoo) -> dict[str, dict[str, Any]]:
    """Read what a zoo says about its packages beside their hashes, by file.

    It is for people alone; where there is none, nothing is said.

    Raises
    ------
    FileError
        If it is there and cannot be read, or is not what a signed registry says.
    """
    path = zoo.folder / registry.INDEX
    if not path.is_file():
        return {}
    content = lists.index(path, zoo.lists, zoo.place)
    try:
        models = json.loads(content.decode("utf-8"))["models"]
        return {str(model["file"]): dict(model) for model in models}
    except (
        ArithmeticError,
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


def _remote(place: str, key: Key | None) -> Zoo:
    """Ask a zoo for its lists; offline, take what it said the last time."""
    name = hashlib.sha256(place.encode()).hexdigest()[:16]
    folder = cache.folder() / "zoos" / name
    trouble = lists.fetch(place, folder, key)
    return _opened(place, folder, key, trouble)


def _opened(place: str, folder: Path, key: Key | None, trouble: str = "") -> Zoo:
    """Open a zoo by its lists; one without a registry mirrors the project's files."""
    found = lists.read(folder, key, place)
    found = found or Lists(tuple(own()), signed=key is not None)
    return Zoo(place, found, folder, trouble)
