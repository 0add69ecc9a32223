"""Lists: the registry of a zoo and what is known of it, read and, if wished, verified.

Fetched lists are read in a folder of their own before they take the place of older
ones, and verified there if there is a public key: what a server shows that was taken
over, or a proxy in its place, changes nothing here.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from care_runtime import registry, signature
from care_runtime.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path

    from care_runtime.registry import Entry
    from care_runtime.signature import Key

MISSING = (403, 404, 410)
"""What servers answer where there is no such file; S3 says 403."""

LARGEST_INDEX = 16 << 20
"""Bytes of an index; a model has about a thousand."""

SIZES = {
    registry.NAME: registry.LARGEST,
    registry.INDEX: LARGEST_INDEX,
    signature.NAME: signature.LARGEST,
}
"""What a zoo has beside its packages, and the bytes that may have."""

ATTEMPTS, PAUSE = 3, 0.5
"""How often, and after how many seconds, lists are asked for that do not fit together,
as they are while a zoo is published."""


@dataclass(frozen=True, slots=True)
class Lists:
    """What a zoo says that it has.

    Parameters
    ----------
    entries
        Lines of the registry.
    index
        Sha256 that the index has to have, None if the registry does not say.
    signed
        Whether a signature was verified.
    time
        When it was signed, in seconds since 1970; 0 if that is not known.
    """

    entries: tuple[Entry, ...]
    index: str | None = None
    signed: bool = False
    time: int = 0


def read(folder: Path, key: Key | None = None, place: str = "") -> Lists | None:
    """Read the registry in a folder.

    Parameters
    ----------
    folder
        Where it lies.
    key
        With which it has to be signed; None asks for no signature.
    place
        What the zoo is called in errors, if it is not the folder.

    Returns
    -------
    Lists or None
        None if there is no registry.

    Raises
    ------
    FileError
        If it cannot be read, or is not signed as it has to be.
    """
    path, where = folder / registry.NAME, f"{place or folder}/{registry.NAME}"
    if not path.is_file():
        return None
    content = _content(path)
    signed = 0
    if key is not None:
        beside = folder / signature.NAME
        if not beside.is_file():
            msg = (
                f"expected {where} signed with the key {key.name}, found no "
                f"{signature.NAME} beside it: ask its owner to sign it, or take away "
                f"the key (--key, {signature.VARIABLE}) if you trust it without"
            )
            raise FileError(msg)
        signed = key.check(content, _content(beside), where)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"expected a registry in {path}, found that it cannot be read: {error}"
        raise FileError(msg) from error
    entries = tuple(registry.parse(text, where if place else str(path)))
    return Lists(entries, registry.index_hash(text), key is not None, signed)


def fetch(place: str, folder: Path, key: Key | None = None) -> str:
    """Ask a zoo at an address for its lists.

    Parameters
    ----------
    place
        The address.
    folder
        Where they are kept; those of the last time stay if there are no new ones.
    key
        With which they have to be signed.

    Returns
    -------
    str
        Why there are no new ones, empty if there are.

    Raises
    ------
    FileError
        If they are not signed as they have to be; or cannot be read, and there are
        none of the last time.
    """
    from care_runtime import download

    fresh = folder / "fresh"
    try:
        with download.locked(folder):
            return _renewed(place, folder, fresh, key)
    except FileError:
        raise
    except OSError as error:
        return f"the cache {folder} cannot be written ({error.strerror or error})"
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _renewed(place: str, folder: Path, fresh: Path, key: Key | None) -> str:
    """Fetch lists into a folder, and move them into another if they are right."""
    names = tuple(SIZES) if key else (registry.NAME, registry.INDEX)
    before, trouble, found = _before(folder, key), "", None
    for attempt in range(1, ATTEMPTS + 1):
        shutil.rmtree(fresh, ignore_errors=True)
        trouble = _ask(place, fresh, names)
        if trouble:
            return trouble
        try:
            found = read(fresh, key, place)
            if found is not None and (fresh / registry.INDEX).is_file():
                index(fresh / registry.INDEX, found, place)
        except FileError as error:
            if attempt < ATTEMPTS:
                time.sleep(PAUSE)
                continue
            # What answers may be no zoo at all: a page of a hotel or a proxy.
            if key is not None or before is None:
                raise
            return str(error)
        else:
            break
    empty = found is None or not found.entries
    if empty and before is not None and before.entries:
        return "it shows no list any more, and did the last time"
    if found is not None and before is not None and found.time < before.time:
        at = time.strftime("%Y-%m-%d %H:%M", time.gmtime(found.time))
        return f"it shows a list signed on {at} UTC, before that of the last time"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (fresh / name).is_file():
            (fresh / name).replace(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    return ""


def _before(folder: Path, key: Key | None) -> Lists | None:
    """Read the lists of the last time, if they are as they have to be."""
    try:
        return read(folder, key)
    except FileError:  # they came without a signature, with another, or damaged
        return None


def index(path: Path, lists: Lists, place: str) -> bytes:
    """Read the bytes of an index, for which the registry vouches.

    Raises
    ------
    FileError
        If it cannot be read, its hash is another, or a signed registry has none.
    """
    import hashlib

    content = _content(path)
    named = lists.signed or lists.index is not None
    if named and hashlib.sha256(content).hexdigest() != lists.index:
        msg = (
            f"expected {place}/{registry.INDEX} of the sha256 that its registry has, "
            "found another: do not use this zoo, or have it published again"
        )
        raise FileError(msg)
    return content


def _ask(place: str, folder: Path, names: tuple[str, ...]) -> str:
    """Fetch files of a zoo; say why, if it cannot be asked."""
    from care_runtime import download

    for name in names:
        try:
            download.fetch(f"{place}/{name}", folder / name, largest=SIZES[name])
        except FileError as error:
            if _status(error) not in MISSING:
                return str(error)
            (folder / name).unlink(missing_ok=True)
    return ""


def _status(error: FileError) -> int | None:
    """Return what the server answered, if it did."""
    answer = getattr(error.__cause__, "response", None)
    return None if answer is None else int(answer.status_code)


def _content(path: Path) -> bytes:
    """Read one of the files, none of which is large."""
    most = SIZES[path.name]
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        msg = f"expected to read {path}, found that it cannot be read: {error.strerror}"
        raise FileError(msg) from error
    if len(content) > most:
        msg = f"{path} has more than {most} bytes: it is no {path.name} of a zoo"
        raise FileError(msg)
    return content
