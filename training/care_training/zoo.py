"""Zoo: a package placed in the checkout, with its line in the registry."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import care_zoo
from care_runtime import package, store
from care_runtime.errors import ExportError
from care_runtime.files import written
from care_runtime.store import Entry


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
    entries = store.registry()
    address = entries[name].address if name in entries else None
    entry = Entry(f"{name}/{found.spec.care.version}.zip", digest, address)
    entries[name] = entry
    with written(care_zoo.REGISTRY) as partial:
        partial.write_text("".join(_line(e) for e in entries.values()), "utf-8")
    return entry


def _replace(folder: Path, target: Path) -> None:
    """Copy a folder beside its place, then move it there."""
    partial = target.with_name(f".{target.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(folder, partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def _line(entry: Entry) -> str:
    words = (entry.file, f"sha256:{entry.sha256}", entry.address)
    return " ".join(word for word in words if word) + "\n"
