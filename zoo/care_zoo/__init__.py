"""The zoo as data: where specs, registry and bundled packages lie."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
_CHECKOUT = _HERE.parent.parent


def _place(installed: str, checkout: str) -> Path:
    """Find a folder in the wheel or, in an editable install, in the checkout."""
    inside = _HERE / installed
    return inside if inside.is_dir() else _CHECKOUT / checkout


REGISTRY = _HERE / "registry.txt"
"""A line for each package: ``name/version.zip sha256:HASH [address]``."""

SPECS = _place("model_specs", "model_specs")
"""Reviewed sources of the specs, ``NAME.yaml``."""

MODELS = _place("models", "zoo/models")
"""Bundled packages, a folder each."""
