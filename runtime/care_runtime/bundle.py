"""Bundle: a package as one zip, after all its files were looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_runtime import wire
from care_runtime.errors import FileError
from care_runtime.files import require_place
from care_runtime.tensor import File
from care_runtime.zips import pack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from care_runtime.package import Package


def bundle(package: Package, archive: Path, *, overwrite: bool = False) -> str:
    """Write a package as a zip.

    Returns
    -------
    str
        The zip's sha256, which depends on the package's files alone.

    Raises
    ------
    FileError
        If the zip is there already, cannot be written, or a file of the package is
        missing or not what its description says.
    SpecError, EngineError
        If the package has no network, or one that nobody would run.
    """
    if archive.exists() and not overwrite:
        msg = f"{archive} exists: give another name, or --overwrite"
        raise FileError(msg)
    require_place(archive)
    check(package)
    return pack(package.folder, archive)


def check(package: Package) -> None:
    """Look at every file that a package names; see `bundle` for the errors."""
    wire.check(package.onnx)
    for file in files(package):
        package.path(file)


def files(package: Package) -> Iterator[File]:
    """Go through the files that the description names."""
    spec = package.spec
    if spec.weights is not None:
        yield spec.weights.onnx
    for tensor in (*spec.inputs, *spec.outputs):
        yield from (file for file in (tensor.test, tensor.sample) if file is not None)
    for name, variant in spec.care.variants.items() if spec.care else ():
        yield File(name, variant.sha256)
