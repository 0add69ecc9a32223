"""Stepfit: whether the steps of a description fit the tensors that they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_runtime.errors import SpecError
from care_runtime.operations import LETTERS
from care_runtime.stepcheck import LISTS, require_known

if TYPE_CHECKING:
    from care_runtime.spec import Spec
    from care_runtime.tensor import Operation, Tensor


def require_fitting(spec: Spec, tensor: Tensor, where: str) -> None:
    """Refuse steps that cannot be taken, or measure a tensor of another shape.

    A step may measure the inputs as they came, and what it changes itself.

    Parameters
    ----------
    spec, tensor
        The model, and one of its inputs or outputs.
    where
        The field that has its steps, for errors.

    Raises
    ------
    SpecError
        With the field.
    """
    known = {each.id: each for each in (*spec.inputs, tensor)}
    require_known(tensor.operations, where, set(known))
    for number, step in enumerate(tensor.operations):
        _require_along(step, tensor, f"{where}[{number}], {step.id}")
        other = known[str(step.kwargs.get("reference_tensor") or tensor.id)]
        over = step.kwargs.get("axes") or LETTERS
        kept = {LETTERS[a] for a in LETTERS} - {LETTERS[a] for a in over}
        differs = [
            a for a in kept - set("BC") if (a in other.letters) != (a in tensor.letters)
        ]
        if "C" in kept and other.channels != tensor.channels:
            differs.append("C")
        if differs:
            msg = (
                f"{where}[{number}], {step.id}, axes: expected those in which "
                f"{tensor.id!r} and its reference_tensor {other.id!r} differ "
                f"({', '.join(sorted(differs))}) among them, found {list(over)}"
            )
            raise SpecError(msg)


def _require_along(step: Operation, tensor: Tensor, where: str) -> None:
    """Refuse numbers along an axis that is none, or has another number of places."""
    named = str(step.kwargs.get("axis") or "channel")
    letter = LETTERS[named]
    if letter == "B" or (letter != "C" and letter not in tensor.letters):
        msg = f"{where}, axis: expected one of {tensor.letters} but B, found {named!r}"
        raise SpecError(msg)
    places = tensor.channels
    if letter != "C":
        size = tensor.axis(letter).size
        places = size if isinstance(size, int) else 0  # which only the image knows
    for key in LISTS:
        value = step.kwargs.get(key)
        if not isinstance(value, list) or len(value) == 1:
            continue
        if step.kwargs.get("axes"):  # as format 0.4 has it
            msg = (
                f"{where}, axes: expected all axes but one, found {step.kwargs['axes']}"
            )
            raise SpecError(msg)
        if places and len(value) != places:
            msg = (
                f"{where}, {key}: expected a number for each of {places} places along "
                f"{named}, found {len(value)}"
            )
            raise SpecError(msg)
