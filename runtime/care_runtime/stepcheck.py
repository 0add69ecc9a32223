"""Stepcheck: whether the steps of a description can be taken, before any pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from care_runtime.errors import SpecError
from care_runtime.operations import LETTERS, STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_runtime.tensor import Operation

LARGEST = float(np.finfo(np.float32).max)
"""Numbers beyond it mean nothing to a network."""

TYPES = (
    *("float32", "float64", "bool"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)

NEEDED = {
    "ensure_dtype": ("dtype",),
    "binarize": ("threshold",),
    "fixed_zero_mean_unit_variance": ("mean", "std"),
}
NUMBERS = ("eps", "min", "max", "min_percentile", "max_percentile")
LISTS = ("gain", "offset", "threshold", "mean", "std")
KNOWN = {
    "axes",
    "axis",
    "dtype",
    "mode",
    "reference_tensor",
    *NUMBERS,
    *LISTS,
}


def require_known(steps: Sequence[Operation], where: str, tensors: set[str]) -> None:
    """Refuse steps that this runtime does not take.

    Parameters
    ----------
    steps, where
        Steps, and the field they stand in.
    tensors
        Ids that a step may refer to.

    Raises
    ------
    SpecError
        With the field.
    """
    for number, step in enumerate(steps):
        problem = _problem(step, tensors)
        if problem:
            msg = f"{where}[{number}], {step.id}: {problem}"
            raise SpecError(msg)


def _problem(step: Operation, tensors: set[str]) -> str | None:
    """Say what is wrong with a step."""
    if step.id not in STEPS:
        return f"expected one of {', '.join(STEPS)}, found {step.id!r}"
    words = step.kwargs
    for key in NEEDED.get(step.id, ()):
        if words.get(key) is None:
            return f"expected {key!r}, found none"
    for key, value in words.items():
        if key not in KNOWN:
            return f"found {key!r}, which this runtime does not know"
        numbers = value if isinstance(value, list) and key in LISTS else [value]
        if key in (*NUMBERS, *LISTS) and value is not None:
            plain = all(isinstance(n, int | float) for n in numbers) and numbers
            if not plain or not all(abs(n) <= LARGEST for n in numbers):
                return f"{key}: expected a number, found {value!r}"
    for key in ("min_percentile", "max_percentile"):
        if not 0 <= float(words.get(key) or 0) <= 100:
            return f"{key}: expected a percentile from 0 to 100, found {words[key]!r}"
    axes = [] if words.get("axes") is None else words["axes"]
    if not isinstance(axes, list):
        return f"expected a list of axes, found {axes!r}"
    named = [*axes, words["axis"]] if words.get("axis") is not None else axes
    if not all(isinstance(a, str) and a in LETTERS for a in named):
        return f"expected axes of {', '.join(LETTERS)}, found {named!r}"
    other = words.get("reference_tensor")
    if other is not None and (not isinstance(other, str) or other not in tensors):
        return f"reference_tensor: expected one of {sorted(tensors)}, found {other!r}"
    if step.id == "scale_mean_variance" and other is None:
        return "expected 'reference_tensor', found none"
    if step.id == "ensure_dtype" and words["dtype"] not in TYPES:
        return f"dtype: expected one of {', '.join(TYPES)}, found {words['dtype']!r}"
    return None
