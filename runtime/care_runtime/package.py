"""Package: a spec with its files, in a folder or a zip."""

from __future__ import annotations

import hashlib
import stat
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from care_runtime.errors import FileError, SpecError
from care_runtime.files import written
from care_runtime.spec import Spec
from care_runtime.tensor import File

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("rdf.yaml", "bioimageio.yaml", "model.yaml")
"""What the description of a package is called."""

LARGEST = 4 << 30
"""Bytes that a zip may unpack to."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every file in a zip, so that its hash depends on the content alone."""

UNIX = 3
"""System that made a zip, whatever the system."""


@dataclass(frozen=True, slots=True)
class Package:
    """A model description and the folder its files lie in."""

    spec: Spec
    folder: Path

    def path(self, file: File) -> Path:
        """Find a file of the package and check its hash.

        Raises
        ------
        FileError
            If it is missing, lies outside the package, or is not what the description
            says.
        """
        path = (self.folder / file.source).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            msg = (
                f"expected a file inside the package {self.folder}, found "
                f"{file.source!r} in its description: do not use it"
            )
            raise FileError(msg)
        if not path.is_file():
            msg = (
                f"expected the file {file.source!r} in the package {self.folder}, "
                "found none: fetch the package again"
            )
            raise FileError(msg)
        if file.sha256 is not None and sha256(path) != file.sha256:
            msg = (
                f"{path} is not the file that its description names (its sha256 "
                "differs): fetch the package again"
            )
            raise FileError(msg)
        return path

    @property
    def onnx(self) -> Path:
        """The network's file."""
        if self.spec.weights is None:
            msg = (
                f"expected weights in the description in {self.folder}, found none: "
                "export the model first"
            )
            raise SpecError(msg)
        return self.path(self.spec.weights.onnx)

    def network(self, outputs: Sequence[str]) -> Path:
        """Find the file that gives some outputs back and little else."""
        care = self.spec.care
        best, fewest = None, len(self.spec.outputs)
        for name, variant in care.variants.items() if care else ():
            if set(outputs) <= set(variant.outputs) and len(variant.outputs) < fewest:
                best, fewest = File(name, variant.sha256), len(variant.outputs)
        return self.path(best) if best else self.onnx


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_folder(folder: Path) -> Package:
    """Open a package that lies in a folder under its usual name."""
    return Package(read_spec(folder / NAMES[0]), folder)


def read_spec(path: Path) -> Spec:
    """Read a model description from a YAML file."""
    try:
        return Spec.from_dict(_load(path))
    except SpecError as error:
        text = str(error)
        msg = text if str(path) in text else f"{path}: {text}"
        raise SpecError(msg) from None


def read(path: Path, cache: Path) -> Package:
    """Open a package.

    Parameters
    ----------
    path
        A folder (of a package, or that holds a single one), an ``rdf.yaml`` or a zip.
    cache
        Folder in which zips are unpacked, once for each content.

    Raises
    ------
    FileError
        If there is no package.
    SpecError
        If its description cannot be understood.
    """
    if path.is_dir():
        found = [path / name for name in NAMES if (path / name).is_file()]
        found = found or [p for name in NAMES for p in path.glob(f"*/{name}")]
        if len(found) > 1 and found[0].parent != path:
            inside = ", ".join(sorted(p.parent.name for p in found))
            msg = f"the folder {path} holds several packages ({inside}): name one"
            raise FileError(msg)
        if not found:
            msg = f"expected a model package, found a folder without {NAMES[0]}: {path}"
            raise FileError(msg)
        path = found[0]
    elif zipfile.is_zipfile(path):
        return read(unpack(path, cache / "unpacked" / sha256(path)), cache)
    elif path.suffix not in (".yaml", ".yml"):
        msg = f"expected a package as folder, zip or rdf.yaml, found {path}"
        raise FileError(msg)
    return Package(read_spec(path), path.parent)


def _load(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        msg = f"expected YAML in {path}, found that it cannot be read: {reason}"
        kind = FileError if isinstance(error, OSError) else SpecError
        raise kind(msg) from None
    if not isinstance(values, dict):
        msg = f"{path}: expected a model description, found {type(values).__name__}"
        raise SpecError(msg)
    return values


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a zip into a folder that appears whole or not at all.

    Raises
    ------
    FileError
        If the zip is damaged, locked or leads out of the folder, or there is no room.
    """
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as partial,
            zipfile.ZipFile(archive) as zipped,
        ):
            if not zipped.infolist():
                msg = f"{archive} is an empty zip: expected a model package"
                raise FileError(msg)
            _check(zipped, archive)
            whole = Path(partial) / "package"
            zipped.extractall(whole)
            _move(whole, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        if isinstance(error, FileError):
            raise
        reason = " ".join(str(error).split())
        msg = (
            f"expected a zip that can be unpacked into {folder.parent}, found "
            f"{archive} ({reason}): fetch it again, or make room"
        )
        raise FileError(msg) from error
    return folder


def _move(whole: Path, folder: Path) -> None:
    """Rename a folder, unless another process was faster with the same content."""
    try:
        whole.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _check(zipped: zipfile.ZipFile, archive: Path) -> None:
    """Refuse links, paths that lead out, and more bytes than any model has."""
    for entry in zipped.infolist():
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        link = stat.S_ISLNK(entry.external_attr >> 16)
        if link or path.is_absolute() or ".." in path.parts or ":" in entry.filename:
            msg = f"{archive} holds {entry.filename!r}, which leads out of it: refused"
            raise FileError(msg)
    size = sum(entry.file_size for entry in zipped.infolist())
    if size > LARGEST:
        msg = f"{archive} unpacks to {size} bytes, more than {LARGEST}: refused"
        raise FileError(msg)


def pack(folder: Path, archive: Path) -> str:
    """Write a package as a zip whose bytes depend on its files alone.

    Returns
    -------
    str
        The zip's sha256.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in files}
    with written(archive) as partial, zipfile.ZipFile(partial, "w") as zipped:
        for name in sorted(names):
            # Stored, not deflated: weights do not shrink, and zlibs differ.
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = UNIX
            zipped.writestr(entry, names[name].read_bytes())
    return sha256(archive)
