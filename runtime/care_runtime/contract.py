"""Contract: what a description has to say for this runtime to follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_runtime.errors import SpecError
from care_runtime.foreign import completed

if TYPE_CHECKING:
    from care_runtime.care import CareConfig
    from care_runtime.spec import Spec
    from care_runtime.tensor import Tensor

PLANES, VOLUMES = "BCYX", "BCZYX"
"""Axes of an input, in any order."""


def supported(spec: Spec) -> CareConfig:
    """Return the model's `config.care`, or refuse it by naming what does not fit.

    That of a model of others is derived from the rest of its description.

    Raises
    ------
    SpecError
        If the description asks for what this runtime cannot do.
    """
    spec = completed(spec)
    care = spec.care
    assert care is not None
    for problem in (
        _tensors(spec),
        _lost(spec, care),
        _said(spec, care),
        _steps(care, spec.input.letters),
    ):
        if problem:
            msg = f"the model {spec.name!r} cannot be run: {problem}"
            raise SpecError(msg)
    return care


def _lost(spec: Spec, care: CareConfig) -> str | None:
    """Say which axis is lost in an output although its tiles would be overwritten."""
    for tensor in spec.outputs:
        lost = set(spec.input.letters) - set(tensor.letters) - set("BC")
        cut = sorted(a.lower() for a in lost if a.lower() not in care.tiling.whole)
        if cut:
            return (
                f"expected the axes that the output {tensor.id!r} loses among the "
                f"whole ones of the tiling, found {', '.join(cut)} missing"
            )
    return None


def _said(spec: Spec, care: CareConfig) -> str | None:
    """Say where bioimage.io's preprocessing tells of other percentiles than ours."""
    for operation in (step for tensor in spec.inputs for step in tensor.operations):
        if operation.id != "scale_range" or care.normalization.percentiles is None:
            continue
        low = float(operation.kwargs.get("min_percentile", 0.0))
        high = float(operation.kwargs.get("max_percentile", 100.0))
        if (low, high) != care.normalization.percentiles:
            return (
                f"expected one normalization, found percentiles {low:g}, {high:g} in "
                f"preprocessing and {care.normalization.percentiles} in config.care"
            )
    return None


def _tensors(spec: Spec) -> str | None:
    """Say what is wrong with the axes and roles of the tensors."""
    for number, tensor in enumerate(spec.inputs):
        problem = _input(spec, number, tensor)
        if problem:
            return problem
    letters = spec.input.letters
    full = set(letters) | set("BC")
    roles = spec.care.outputs if spec.care else {}
    for tensor in spec.outputs:
        found = set(tensor.letters)
        if not set("YX") <= found <= full or len(found) < len(tensor.axes):
            return (
                f"expected an output {tensor.id!r} of axes Y, X and others of the "
                f"input's {letters}, found {tensor.letters!r}"
            )
        if tensor.id not in roles:
            known = ", ".join(map(repr, roles)) or "none"
            return (
                f"expected the output {tensor.id!r} among the outputs of config.care, "
                f"found {known}"
            )
    return None


def _input(spec: Spec, number: int, tensor: Tensor) -> str | None:
    """Say what is wrong with the axes of an input, which have to be the first's."""
    letters, first = tensor.letters, spec.input.letters
    full = set(letters) | set("BC")  # a single image or channel needs no axis
    if full not in (set(PLANES), set(VOLUMES)) or len(set(letters)) < len(letters):
        return (
            f"inputs[{number}].axes: expected an input of axes {PLANES} or {VOLUMES}, "
            f"found {letters!r}"
        )
    if full != set(first) | set("BC"):
        return (
            f"inputs[{number}].axes: expected those of the first input, {first!r}, "
            f"found {letters!r}"
        )
    if tensor.id in [other.id for other in spec.inputs[:number]]:
        return (
            f"inputs[{number}].id: expected one of its own, found {tensor.id!r} again"
        )
    return None


def _steps(care: CareConfig, letters: str) -> str | None:
    """Say what is wrong with the axes of normalization and resampling."""
    space = letters.translate(str.maketrans("", "", "BC"))
    over = care.normalization.axes
    if not set(space) <= set(over):
        return f"expected percentiles over all of {space}, found {over!r}"
    if care.resample is not None and care.resample.axis.upper() not in space:
        axis = care.resample.axis
        return f"expected to resample an axis of {space.lower()!r}, found {axis!r}"
    return None
