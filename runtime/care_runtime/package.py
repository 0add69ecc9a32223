"""Package: a spec with its files, in a folder or a zip."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from care_runtime import yamls
from care_runtime.errors import FileError, SpecError
from care_runtime.spec import Spec
from care_runtime.tensor import File
from care_runtime.zips import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "NAMES",
    "Package",
    "content_hash",
    "pack",
    "read",
    "read_folder",
    "read_spec",
    "sha256",
    "unpack",
]

NAMES = ("rdf.yaml", "bioimageio.yaml", "model.yaml")
"""What the description of a package is called."""

ZIP = b"PK\x03\x04"
"""How a zip begins; what it holds is told at its end."""

HASH = re.compile("[0-9a-f]{64}")
"""How a sha256 is written."""


@dataclass(frozen=True, slots=True)
class Package:
    """A model description and the folder its files lie in.

    Parameters
    ----------
    spec, folder
        Both.
    listed
        Whether it is one of the project's own, by the hash in its registry, or was made
        on this machine. Others are first run in a process of their own.
    """

    spec: Spec
    folder: Path
    listed: bool = True

    @property
    def version(self) -> str:
        """Version of the model; "0" where the description has none."""
        if self.spec.care is not None:
            return self.spec.care.version
        return str(self.spec.about.get("version") or 0)

    def path(self, file: File) -> Path:
        """Find a file of the package and check its hash.

        Raises
        ------
        FileError
            If it is missing, lies outside the package, or is not what the description
            says; or is an address that a package may not give.
        """
        if "://" in file.source:
            return _fetched(file)
        try:
            path = (self.folder / file.source).resolve()
        except (OSError, ValueError):
            path = self.folder.parent
        if not path.is_relative_to(self.folder.resolve()):
            msg = (
                f"expected a file inside the package {self.folder}, found "
                f"{file.source!r} in its description: do not use it"
            )
            raise FileError(msg)
        if not os.path.isfile(path):  # noqa: PTH113 (a name too long is none)
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

    def network(self, outputs: Sequence[str], precision: str = "fp32") -> Path:
        """Find the file that gives some outputs back and little else.

        Raises
        ------
        FileError
            If it is missing, or not what the description says.
        SpecError
            If there is none of that precision.
        """
        best = self._variant(outputs, precision)
        if best is not None:
            return self.path(best)
        if precision != "fp32":
            msg = (
                f"expected a network of precision {precision} for "
                f"{', '.join(outputs)} in the package {self.folder}, found none: take "
                "another precision"
            )
            raise SpecError(msg)
        return self.onnx

    def offers(self, outputs: Sequence[str], precision: str) -> bool:
        """Whether there is a network of a precision that gives some outputs back."""
        return precision == "fp32" or self._variant(outputs, precision) is not None

    def _variant(self, outputs: Sequence[str], precision: str) -> File | None:
        """Choose the variant of fewest outputs: fewer than the model's own network."""
        care = self.spec.care
        best, fewest = None, len(self.spec.outputs) + (precision != "fp32")
        for name, variant in care.variants.items() if care else ():
            fits = set(outputs) <= set(variant.outputs)
            fits &= variant.precision == precision
            if fits and len(variant.outputs) < fewest:
                best, fewest = File(name, variant.sha256), len(variant.outputs)
        return best


def _fetched(file: File) -> Path:
    """Fetch a file that a description has by its address alone."""
    from care_runtime import addresses, cache, download

    addresses.require_public(file.source)
    if not isinstance(file.sha256, str) or not HASH.fullmatch(file.sha256):
        msg = (
            f"expected a sha256 for {file.source}, found none in the description: "
            "fetch the file yourself, and place it in the package"
        )
        raise FileError(msg)
    target = cache.folder() / "downloads" / file.sha256
    return download.fetch(
        file.source, target, sha256=file.sha256, allow=addresses.require_public
    )


def sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_hash(folder: Path) -> str:
    """Hash a folder as the zip that it would be; see `pack`."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as scratch:
        return pack(folder, Path(scratch) / "package.zip")


def read_folder(folder: Path) -> Package:
    """Open a package that this machine made, in a folder under its usual name."""
    return Package(read_spec(folder / NAMES[0]), folder)


def read_spec(path: Path) -> Spec:
    """Read a model description from a YAML file."""
    try:
        return Spec.from_dict(yamls.read(path))
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
        found = found or sorted(p for name in NAMES for p in path.glob(f"*.{name}"))
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
    elif _begins_as_zip(path):
        msg = (
            f"expected a whole zip, found that {path} is damaged or incomplete: fetch "
            "it again"
        )
        raise FileError(msg)
    elif path.suffix not in (".yaml", ".yml"):
        msg = f"expected a package as folder, zip or rdf.yaml, found {path}"
        raise FileError(msg)
    return Package(read_spec(path), path.parent, listed=False)


def _begins_as_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(ZIP)) == ZIP
    except OSError:
        return False
