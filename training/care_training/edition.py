"""Edition: a package of a model that was trained again, under another version."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import onnx
import yaml

from care_runtime import package as package_
from care_runtime.contract import supported
from care_runtime.errors import ExportError, OptionError
from care_runtime.files import written, written_folder
from care_runtime.tensor import File
from care_training.graph import SPEC
from care_training.half import MARK

if TYPE_CHECKING:
    from pathlib import Path

    from care_runtime.package import Package

VERSION = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", re.ASCII)
"""How a version is written."""


def require_version(text: str) -> None:
    """Refuse a version that is not written X.Y.Z.

    Raises
    ------
    OptionError
        If it is written otherwise.
    """
    if not VERSION.fullmatch(text):
        msg = (
            f"expected a version X.Y.Z of three numbers, as 1.1.0, found {text!r}: "
            "give another --version"
        )
        raise OptionError(msg)


def renew(source: Path, folder: Path, version: str) -> Package:
    """Copy a package, and give the copy another version.

    The version is in the description, and in what each network carries of it: their
    hashes are written anew.

    Parameters
    ----------
    source
        Folder of the package.
    folder
        Of the copy, which appears in place of one that was there before.
    version
        ``X.Y.Z``; the mark of half precision is kept.

    Raises
    ------
    OptionError
        If the version is written otherwise.
    ExportError
        If the package is not one of care-train.
    FileError
        If a file is missing, or not what the description says.
    """
    require_version(version)
    found = package_.read_folder(source)
    if found.spec.care is None or found.spec.weights is None:
        msg = (
            f"expected a package of care-train, found {source}: raise the version in "
            "its rdf.yaml, and publish it without --version"
        )
        raise ExportError(msg)
    care = supported(found.spec)
    version += MARK if care.version.endswith(MARK) else ""
    own = found.spec.weights.onnx
    networks = [own, *(File(name, v.sha256) for name, v in care.variants.items())]
    with written_folder(folder) as partial:
        shutil.copytree(source, partial)
        hashes = {}
        for file in networks:
            _mark(found.path(file), partial / file.source, version)
            hashes[file.source] = package_.sha256(partial / file.source)
        variants = {
            name: replace(variant, sha256=hashes[name])
            for name, variant in care.variants.items()
        }
        spec = replace(
            found.spec,
            care=replace(care, version=version, variants=variants),
            weights=replace(
                found.spec.weights, onnx=replace(own, sha256=hashes[own.source])
            ),
        )
        text = yaml.safe_dump(
            spec.to_dict(), sort_keys=False, allow_unicode=True, width=88
        )
        name = next(n for n in package_.NAMES if (partial / n).is_file())
        (partial / name).write_text(text, "utf-8")
    return package_.read_folder(folder)


def _mark(source: Path, target: Path, version: str) -> None:
    """Write the version into the description that a network carries, if it has one."""
    model = onnx.load(str(source))
    for said in model.metadata_props:
        if said.key == SPEC:
            values = json.loads(said.value)
            values["config"]["care"]["version"] = version
            said.value = json.dumps(values, sort_keys=True)
    with written(target) as partial:
        onnx.save(model, str(partial))
