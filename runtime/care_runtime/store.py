"""Store: from the name of a model to its package."""

from __future__ import annotations

import warnings
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import care_zoo
from care_runtime import addresses, cache, files, package, registry, sources
from care_runtime.addresses import is_address
from care_runtime.errors import (
    FileError,
    ModelNotFoundError,
    SourceWarning,
    SpecError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from care_runtime.package import Package
    from care_runtime.registry import Entry
    from care_runtime.sources import Zoo

    Source = Callable[[], Package | None]


def names(zoo: str | Zoo | None = None, key: str | None = None) -> dict[str, Entry]:
    """List the newest version of every model: of a zoo that was named, else our own.

    Both are as in `locate`.

    Warns
    -----
    SourceWarning
        If the zoo cannot be asked, and these are the models that it had the last time.

    Raises
    ------
    FileError
        If the zoo cannot be asked, and never was.
    """
    found = sources.reached(zoo, key)
    if found is None:
        return registry.newest(sources.at_hand())
    if found.trouble:
        _warn(f"the zoo {found.place} cannot be asked what it has: {found.trouble}")
    return registry.newest(found.entries)


def description(name: str) -> str:
    """Read what a model does from its reviewed spec, without fetching the model."""
    path = care_zoo.SPECS / f"{name}.yaml"
    return package.read_spec(path).description if path.is_file() else ""


def locate(
    model: str,
    *,
    zoo: str | Zoo | None = None,
    key: str | None = None,
    progress: Any = None,
) -> Package:
    """Find a model, fetching it if need be.

    Parameters
    ----------
    model
        A zoo name, ``NAME@VERSION``, a package folder, a zip, an ``rdf.yaml`` or an
        address of a zip.
    zoo
        Folder or address of a zoo, or one that is open (`sources.named`) and not asked
        again; by default that of ``CARE_ZOO``. What it does not have is sought in the
        packages that came with this project, then at the registry's own address. What
        was fetched once needs no network again.
    key
        Public key with which the lists of that zoo have to be signed, or a file that
        holds it; by default that of ``CARE_ZOO_KEY``. None is none.
    progress
        A progress bar for downloads, as pooch takes it.

    Raises
    ------
    ModelNotFoundError
        If there is no such model; near names are suggested.
    FileError
        If it cannot be fetched, or is not what the registry says.

    Warns
    -----
    SourceWarning
        If a source that comes before the one that had it failed.
    """
    if is_address(model):
        return _at_address(model, progress)
    found = sources.named(zoo, key)
    entries = [*(found.entries if found else ()), *sources.own()]
    name, _, version = model.partition("@")
    if any(entry.name == name for entry in entries):  # a folder of that name is ./name
        entry = _entry(entries, found, name, version)
        return _first(entry, _sources(entry, found, progress), found)
    if model and files.exists(Path(model)):  # an empty one is no current folder
        return package.read(Path(model), cache.folder())
    raise ModelNotFoundError(_unknown(model, registry.newest(entries)))


def _at_address(address: str, progress: Any) -> Package:
    """Open a package at an address that a person gave; it is fetched once."""
    from care_runtime import download

    target = cache.downloaded(address)
    for asked in (not target.is_file(), True):
        if asked:
            download.fetch(address, target, progress=progress)
        try:
            found = package.read(target, cache.folder())
        except (FileError, SpecError):
            target.unlink(missing_ok=True)  # as a page of a network's login
            if asked:
                raise
        else:
            break
    digest = package.sha256(target)
    return replace(found, listed=any(e.sha256 == digest for e in sources.own()))


def _entry(entries: list[Entry], zoo: Zoo | None, name: str, version: str) -> Entry:
    """Choose a version; the zoo that was named has the word before the project."""
    known = registry.versions(list(zoo.entries) if zoo else entries, name)
    known = known or registry.versions(entries, name)
    chosen = [e for e in known if version in ("", e.version)]
    chosen = chosen or [e for e in entries if (e.name, e.version) == (name, version)]
    if not chosen:
        have = ", ".join(dict.fromkeys(e.version for e in known))
        msg = f"expected a version of {name!r}, found {version!r}: there is {have}"
        raise ModelNotFoundError(msg)
    entry = chosen[0]
    for own in sources.own():
        if own.file == entry.file and own.sha256 != entry.sha256:
            msg = (
                f"expected {entry.file} of the sha256 {own.sha256[:12]}... that came "
                f"with care-zoo, found {entry.sha256[:12]}... in the zoo "
                f"{zoo.place if zoo else ''}: do not use it, or publish it there under "
                "a version of its own"
            )
            raise FileError(msg)
    return entry


def _sources(entry: Entry, zoo: Zoo | None, progress: Any) -> list[Source]:
    """Order the places where a package may be, the nearest word first."""

    def fetched(address: str, *, given: bool) -> Source:
        allow = None if given else addresses.require_public
        return lambda: _fetch(entry, address, progress, allow)

    found: list[Source] = []
    if zoo is not None and not zoo.remote:
        place = Path(zoo.place)
        found.append(lambda: _in_folder(entry, place, signed=zoo.lists.signed))
    elif zoo is not None:
        found += [
            lambda: _kept(entry),
            # S3 takes a plus for a space, as in 1.0.0+fp16.zip.
            fetched(f"{zoo.place}/{quote(entry.file)}", given=True),
        ]
    if any(own.sha256 == entry.sha256 for own in sources.own()):
        found.append(lambda: _in_folder(entry, care_zoo.MODELS))
    found.append(lambda: _kept(entry))
    ours = {own.address for own in sources.own() if own.sha256 == entry.sha256}
    for address in dict.fromkeys([entry.address, *ours]):
        if address:
            near = zoo is not None and addresses.same_host(address, zoo.place)
            found.append(fetched(address, given=near or address in ours))
    return found


def _first(entry: Entry, places: list[Source], zoo: Zoo | None) -> Package:
    """Take the first source that has the package; tell of those that failed."""
    failed: list[FileError] = []
    for source in places:
        try:
            found = source()
        except FileError as error:
            failed.append(error)
            continue
        if found is not None:
            if failed:
                _warn(f"{failed[0]}; {entry.name} was taken from {found.folder}")
            known = any(own.sha256 == entry.sha256 for own in sources.own())
            return replace(found, listed=known and found.listed)
    if failed:
        more = f" (nor elsewhere: {failed[-1]})" if len(failed) > 1 else ""
        msg = f"{failed[0]}{more}"
        raise FileError(msg) from failed[0]
    place = f"the zoo {zoo.place}" if zoo else str(care_zoo.MODELS)
    msg = (
        f"the model {entry.name!r} {entry.version} is neither in {place} nor in the "
        "cache: name a zoo with --zoo or CARE_ZOO, a folder or an http address"
    )
    raise ModelNotFoundError(msg)


def _in_folder(entry: Entry, folder: Path, *, signed: bool = False) -> Package | None:
    """Open a package in a zoo on this machine, a zip by version or a folder.

    A folder that is not what the registry knows is another's work: it is not listed,
    and refused where the registry is signed. The project's own may be worked on.
    """
    archive, unpacked = folder / entry.file, folder / entry.name
    if archive.is_file():
        return _verified(archive, entry)
    if not any((unpacked / name).is_file() for name in package.NAMES):
        return None
    found = package.read(unpacked, cache.folder())
    if found.version != entry.version:
        return None
    own = folder.resolve() == care_zoo.MODELS.resolve()
    trusted = own and not signed
    same = trusted or package.content_hash(found.folder) == entry.sha256
    if signed and not same:
        msg = (
            f"{unpacked} is not version {entry.version} of {entry.name} as the signed "
            "registry knows it (its sha256 differs): fetch the zoo's zip"
        )
        raise FileError(msg)
    return replace(found, listed=same)


def _kept(entry: Entry) -> Package | None:
    """Open what was fetched before, unless it is damaged and is to be fetched again."""
    archive = cache.folder() / cache.PACKAGES / entry.file
    if archive.is_file() and package.sha256(archive) == entry.sha256:
        return _known(archive)
    return None


def _known(archive: Path) -> Package:
    """Open a zip of the hash that the registry has."""
    return replace(package.read(archive, cache.folder()), listed=True)


def _fetch(
    entry: Entry, address: str, progress: Any, allow: Callable[[str], None] | None
) -> Package:
    from care_runtime import download

    target = cache.folder() / cache.PACKAGES / entry.file
    download.fetch(address, target, sha256=entry.sha256, progress=progress, allow=allow)
    return _known(target)


def _verified(archive: Path, entry: Entry) -> Package:
    if package.sha256(archive) != entry.sha256:
        msg = (
            f"{archive} is not version {entry.version} of {entry.name} as the registry "
            "knows it (its sha256 differs): delete it and fetch it again"
        )
        raise FileError(msg)
    return _known(archive)


def _warn(text: str) -> None:
    warnings.warn(text, SourceWarning, stacklevel=4)


def _unknown(model: str, known: dict[str, Entry]) -> str:
    if any(mark in model for mark in "/\\."):
        return (
            "expected a zoo name, or the package of a model as folder, zip or "
            f"rdf.yaml, found nothing at {model!r}: check the path"
        )
    near = get_close_matches(model.partition("@")[0], known, 1)
    hint = (
        f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known) or 'none'}"
    )
    return f"expected the name of a model of the zoo, found {model!r}: {hint}"
