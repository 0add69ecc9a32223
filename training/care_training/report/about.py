"""About: which model a report is of, on what machine it was made, without a date."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from care_runtime import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_runtime.restore import Restorer
    from care_runtime.spec import Spec

LIBRARIES = ("numpy", "scipy", "scikit-image", "torch", "matplotlib")
"""Whose versions may change a number."""


@dataclass(frozen=True, slots=True)
class Model:
    """The model of a report.

    Parameters
    ----------
    name, version, sha256
        Of the package and its network's file.
    description
        What it does.
    origin
        Of its training data: ``"real"``, ``"semi-synthetic"`` or ``"synthetic"``.
    training
        What its description says about training.
    """

    name: str
    version: str
    sha256: str
    description: str
    origin: str
    training: Mapping[str, Any]

    @property
    def steps(self) -> str:
        """Say how long it was trained, and what is owed."""
        if "steps" not in self.training:
            return "unknown"
        before = int(self.training.get("steps before", 0))
        steps = f"{int(self.training['steps']) + before}"
        steps += " in several runs" if before else ""
        owed = self.training.get("owed")
        return f"{steps}; owed: {owed}" if owed else f"{steps}, nothing owed"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a report."""
        return {
            "name": self.name,
            "version": self.version,
            "sha256": self.sha256,
            "origin": self.origin,
            "steps": self.training.get("steps"),
            "owed": self.training.get("owed"),
            "seed": self.training.get("seed"),
        }


def model(restorer: Restorer) -> Model:
    """Describe a loaded model."""
    spec: Spec = restorer.spec
    assert spec.care is not None
    training = spec.care.training
    return Model(
        spec.name,
        spec.care.version,
        restorer.provenance.get("model sha256", "unknown"),
        spec.description,
        training.get("origin", "unknown"),
        training,
    )


def figure(description: str) -> str:
    """Find the figure of the paper that a description names."""
    found = re.search(r"\((Figs?\.[^)]*?) of the\s+paper\)", description)
    return found[1] if found else "none: this model is not of the paper"


def machine(device: str) -> dict[str, str]:
    """Name the machine and the versions of what computed the numbers."""
    versions = {name: _version(name) for name in LIBRARIES}
    runtime = _version("onnxruntime-gpu") or _version("onnxruntime")
    versions = {"onnxruntime": runtime, **versions}
    return {
        "device": device,
        "processor": _processor(),
        "system": f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores",
        "care-zoo": __version__,
        "python": platform.python_version(),
        **{name: version for name, version in versions.items() if version},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    known = Path("/proc/cpuinfo")  # elsewhere the platform knows
    if known.is_file():
        for line in known.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
