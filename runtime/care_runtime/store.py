"""Store: from the name of a model to its package."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import care_zoo
from care_runtime import package
from care_runtime.errors import FileError, ModelNotFoundError

if TYPE_CHECKING:
    from care_runtime.package import Package

SCHEMES = ("http://", "https://")


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
        return Path(self.file).stem


def registry(path: Path | None = None) -> dict[str, Entry]:
    """Read the models of the zoo; of several versions, the last line counts."""
    entries: dict[str, Entry] = {}
    if path is None and not care_zoo.REGISTRY.is_file():
        return entries  # a checkout without models
    for line in (path or care_zoo.REGISTRY).read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            file, digest, *address = line.split()
            entry = Entry(file, digest.removeprefix("sha256:"), *address[:1])
            entries[entry.name] = entry
    return entries


def description(name: str) -> str:
    """Read what a model does from its reviewed spec, without fetching the model."""
    path = care_zoo.SPECS / f"{name}.yaml"
    return package.read_spec(path).description if path.is_file() else ""


def cache() -> Path:
    """Folder for what was fetched: ``CARE_HOME``, or the platform's cache folder."""
    if home := os.environ.get("CARE_HOME"):
        return Path(home)
    import pooch

    return Path(pooch.os_cache("care-zoo"))


def locate(model: str, *, zoo: str | None = None, progress: Any = None) -> Package:
    """Find a model, fetching it if need be.

    Parameters
    ----------
    model
        A zoo name, a package folder, a zip, an ``rdf.yaml`` or an address of a zip.
    zoo
        Folder or address of a zoo; by default that of ``CARE_ZOO``, then the packages
        that came with this project, then the registry's own address.
    progress
        A progress bar for downloads, as pooch takes it.

    Raises
    ------
    ModelNotFoundError
        If there is no such model; near names are suggested.
    FileError
        If it cannot be fetched, or is not what the registry says.
    """
    if model.startswith(SCHEMES):
        archive = _download(model, None, cache() / "downloads", progress)
        return package.read(archive, cache())
    entries = registry()
    if model in entries:  # a folder of the same name is ./model
        source = zoo or os.environ.get("CARE_ZOO") or None
        return _zoo_package(entries[model], source, progress)
    if Path(model).exists():
        return package.read(Path(model), cache())
    raise ModelNotFoundError(_unknown(model, list(entries)))


def _zoo_package(entry: Entry, zoo: str | None, progress: Any) -> Package:
    """Try the zoo that was named, else the bundled packages, else the registry."""
    if zoo is not None and zoo.startswith(SCHEMES):
        return _fetch(entry, f"{zoo.rstrip('/')}/{entry.file}", progress)
    folder = care_zoo.MODELS if zoo is None else Path(zoo)
    if (folder / entry.file).is_file():
        return _verified(folder / entry.file, entry)
    if (folder / entry.name).is_dir():
        return package.read(folder / entry.name, cache())
    kept = cache() / entry.file
    if zoo is None and kept.is_file():
        return _verified(kept, entry)
    if zoo is None and entry.address:
        return _fetch(entry, entry.address, progress)
    msg = (
        f"the model {entry.name!r} is neither in {folder} nor in the cache: name a zoo "
        "with --zoo or CARE_ZOO, a folder or an http address"
    )
    raise ModelNotFoundError(msg)


def _fetch(entry: Entry, address: str, progress: Any) -> Package:
    target = cache() / entry.file
    if not (target.is_file() and package.sha256(target) == entry.sha256):
        _download(address, entry.sha256, target.parent, progress, target.name)
    return package.read(target, cache())


def _verified(archive: Path, entry: Entry) -> Package:
    if package.sha256(archive) != entry.sha256:
        msg = (
            f"{archive} is not version {entry.version} of {entry.name} as the registry "
            "knows it (its sha256 differs): delete it and fetch it again"
        )
        raise FileError(msg)
    return package.read(archive, cache())


def _download(
    address: str,
    sha256: str | None,
    folder: Path,
    progress: Any,
    name: str | None = None,
) -> Path:
    """Download with pooch, which hashes before it moves the file to its place."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    known = f"sha256:{sha256}" if sha256 else None
    downloader = pooch.HTTPDownloader(progressbar=progress or False)
    try:
        return Path(pooch.retrieve(address, known, name, folder, downloader=downloader))
    except Exception as error:
        # pooch leaves the connection of a request that was refused open.
        if (response := getattr(error, "response", None)) is not None:
            response.close()
        reason = " ".join(str(error).split())
        msg = (
            f"expected to fetch {address}, found that it cannot be had ({reason}): "
            "check the address and the network, and try again"
        )
        raise FileError(msg) from error


def _unknown(model: str, names: list[str]) -> str:
    if any(mark in model for mark in "/\\."):
        return (
            "expected a zoo name, or the package of a model as folder, zip or "
            f"rdf.yaml, found nothing at {model!r}: check the path"
        )
    near = get_close_matches(model, names, 1)
    hint = (
        f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names) or 'none'}"
    )
    return f"expected the name of a model of the zoo, found {model!r}: {hint}"
