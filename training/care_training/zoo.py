"""Zoo: a package placed in the checkout, with its line in the registry."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import care_zoo
from care_runtime import package, registry, sources
from care_runtime.errors import ExportError
from care_runtime.files import written
from care_runtime.registry import Entry


def add(folder: Path) -> Entry:
    """Place a package in the zoo of the checkout, under the name of its folder.

    The registry's hash is that of the package as a zip, which depends on the files
    alone; so the zip need not be kept.

    Raises
    ------
    ExportError
        If the package has no version, or no reviewed description.
    """
    found = package.read_folder(folder)
    name = folder.resolve().name
    if found.spec.care is None or not (care_zoo.SPECS / f"{name}.yaml").is_file():
        msg = f"{folder}: expected a model with a description model_specs/{name}.yaml"
        raise ExportError(msg)
    target = care_zoo.MODELS / name
    if folder.resolve() != target.resolve():
        _replace(folder, target)
    with tempfile.TemporaryDirectory() as scratch:
        digest = package.pack(target, Path(scratch) / "package.zip")
    known = sources.own()
    file = f"{name}/{found.spec.care.version}.zip"
    address = next((e.address for e in known if e.file == file), None)
    entry = Entry(file, digest, address)
    # An older version without an address can no more be had; lines keep their places.
    kept = [e for e in known if e.file == file or e.name != name or e.address]
    lines = [entry if e.file == file else e for e in kept]
    lines += [] if entry in lines else [entry]
    with written(care_zoo.REGISTRY) as partial:
        partial.write_text(registry.text_of(lines), "utf-8")
    return entry


def _replace(folder: Path, target: Path) -> None:
    """Copy a folder beside its place, then move it there."""
    partial = target.with_name(f".{target.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(folder, partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def packages() -> list[Path]:
    """List the packages of the checkout."""
    return sorted(path.parent for path in care_zoo.MODELS.glob("*/rdf.yaml"))
