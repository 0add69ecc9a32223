"""Listing: what a zoo says about its models, before any is fetched."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from care_runtime import registry, sources, store
from care_runtime.errors import SourceWarning


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of a zoo.

    Parameters
    ----------
    name, version, description
        Of the newest package.
    size
        Bytes of its zip, where the zoo has an index.
    older
        Versions before it, to be named as ``NAME@VERSION``.
    """

    name: str
    version: str
    description: str
    size: int | None = None
    older: tuple[str, ...] = ()


def models(zoo: str | None = None, key: str | None = None) -> list[Listed]:
    """List the models of a zoo that was named, else our own.

    Raises
    ------
    FileError
        If the zoo cannot be asked, and never was.

    Warns
    -----
    SourceWarning
        If the zoo cannot be asked, and these are the models that it had the last time.
    """
    found = sources.reached(zoo, key)
    if found is not None and found.trouble:
        msg = f"the zoo {found.place} cannot be asked what it has: {found.trouble}"
        warnings.warn(msg, SourceWarning, stacklevel=2)
    entries = list(found.entries) if found else sources.at_hand()
    about = sources.index(found) if found else {}
    rows = []
    for name in registry.newest(entries):
        first, *rest = registry.versions(entries, name)
        said = about.get(first.file, {})
        rows.append(
            Listed(
                name,
                first.version,
                _text(said.get("description")) or store.description(name),
                _count(said.get("size")),
                tuple(entry.version for entry in rest),
            )
        )
    return rows


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
