"""Variant: another form of a model's network, made when it was published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from care_runtime.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_runtime._parse import Reader


@dataclass(frozen=True, slots=True)
class Variant:
    """A network that does what the model's own does, or part of it, at less cost.

    Parameters
    ----------
    outputs
        What it gives back, in its order: some of the model's outputs.
    sha256
        Of its file.
    precision
        In which it computes: ``"fp32"``, or ``"fp16"`` for a GPU.
    """

    outputs: tuple[str, ...]
    sha256: str | None = None
    precision: str = "fp32"

    def to_dict(self) -> dict[str, Any]:
        """Write plain values."""
        out: dict[str, Any] = {"outputs": list(self.outputs)}
        if self.precision != "fp32":
            out["precision"] = self.precision
        return out if self.sha256 is None else {**out, "sha256": self.sha256}


def parse(read: Reader) -> dict[str, Variant]:
    """Read the variants of a description, by file name."""
    return {name: _variant(read.child(name)) for name in read.keys}


def write(variants: Mapping[str, Variant]) -> dict[str, Any]:
    """Write variants as plain values; `parse` is the inverse."""
    return {name: variant.to_dict() for name, variant in variants.items()}


def _variant(read: Reader) -> Variant:
    precision = read.text("precision", "fp32")
    if precision not in ("fp32", "fp16"):
        msg = f"{read.where}: expected a precision fp32 or fp16, found {precision!r}"
        raise SpecError(msg)
    variant = Variant(read.texts("outputs"), read.value("sha256", None), precision)
    read.done()
    return variant
