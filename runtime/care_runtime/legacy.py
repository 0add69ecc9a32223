"""Legacy: model descriptions of format 0.4, rewritten in the words of 0.5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from care_runtime.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = {"b": "batch", "c": "channel", "t": "time", "i": "index"}
KEPT = ("inputs", "outputs", "weights", "config", "type", "format_version")
CHANNELS = 10_000
"""Channels that a tensor may have."""

ALONG = ("scale_linear", "fixed_zero_mean_unit_variance")
"""Steps that take numbers along an axis."""

TESTS = ("test_inputs", "test_outputs", "sample_inputs", "sample_outputs")


def upgrade(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Rewrite a description of format 0.4; return one of 0.5 as it is.

    Raises
    ------
    SpecError
        If it is of another format, or not of the one it names.
    """
    found = str(values.get("format_version", "none"))
    if found.startswith("0.5"):
        return values
    if not found.startswith("0.4"):
        msg = f"expected format_version 0.4 or 0.5 in the description, found {found}"
        raise SpecError(msg)
    about = {k: v for k, v in values.items() if k not in (*KEPT, *TESTS)}
    return {
        **about,
        "type": values.get("type", "model"),
        "format_version": found,
        "inputs": _tensors(values, "input"),
        "outputs": _tensors(values, "output"),
        "weights": values.get("weights") or {},
        "config": values.get("config") or {},
    }


def _tensors(values: Mapping[str, Any], side: str) -> list[dict[str, Any]]:
    old = values.get(f"{side}s") or []
    try:
        return [_tensor(tensor, i, values, side) for i, tensor in enumerate(old)]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        reason = f"{type(error).__name__}: {error}"
        msg = (
            f"the model description, {side}s: expected tensors as format 0.4 writes "
            f"them, found some that cannot be read ({reason})"
        )
        raise SpecError(msg) from error


def _tensor(
    old: Mapping[str, Any], index: int, values: Mapping[str, Any], side: str
) -> dict[str, Any]:
    for key in ("name", "axes"):
        if key not in old:
            msg = f"the model description, {side}s[{index}]: expected a key {key!r}"
            raise SpecError(msg)
    operations = "preprocessing" if side == "input" else "postprocessing"
    letters = str(old["axes"])
    new = {
        "id": old["name"],
        "description": old.get("description") or "",
        "axes": [_axis(old, letter, i, values) for i, letter in enumerate(letters)],
        "data": {"type": old.get("data_type", "float32")},
        operations: [_operation(op, letters) for op in old.get(operations) or []],
    }
    for use in ("test", "sample"):
        files = values.get(f"{use}_{side}s") or []
        if index < len(files):
            new[f"{use}_tensor"] = {"source": files[index]}
    return new


def _axis(
    old: Mapping[str, Any], letter: str, place: int, values: Mapping[str, Any]
) -> dict[str, Any]:
    kind = KINDS.get(letter, "space")
    axis: dict[str, Any] = {"type": kind, "id": KINDS.get(letter, letter)}
    halo = (old.get("halo") or [0] * len(old["axes"]))[place]
    if halo:
        axis["halo"] = halo
    size = None if kind == "batch" else _size(old.get("shape"), letter, place, axis)
    if kind == "channel":
        count = size if isinstance(size, int) else _channels(size, values)
        if not 0 < count <= CHANNELS:
            msg = f"expected 1 to {CHANNELS} channels in {old['name']!r}, found {count}"
            raise SpecError(msg)
        axis["channel_names"] = [f"channel{i}" for i in range(count)]
    elif size is not None:
        axis["size"] = size
    return axis


def _channels(size: Any, values: Mapping[str, Any]) -> int:
    """Count channels: those of a stepped shape, or of the tensor referred to."""
    if not isinstance(size, dict):
        return 1
    if "min" in size:
        return int(size["min"])
    for source in values.get("inputs") or []:
        axes, shape = str(source["axes"]), source.get("shape")
        if source["name"] == size["tensor_id"] and "c" in axes:
            if isinstance(shape, dict):
                shape = shape["min"]
            return int(shape[axes.index("c")]) + int(size["offset"])
    return 1


def _size(shape: Any, letter: str, place: int, axis: dict[str, Any]) -> Any:
    """Translate a shape: numbers, least and step, or a reference with a scale."""
    if isinstance(shape, list):
        return shape[place]
    if not isinstance(shape, dict):
        return None
    if "min" in shape:
        least, step = shape["min"][place], shape["step"][place]
        return {"min": least, "step": step} if step else least
    scale, offset = (
        (shape.get("scale") or [])[place],
        (shape.get("offset") or [])[place],
    )
    if not scale:  # an axis that the reference does not have
        return int(2 * offset)
    if scale != 1:
        axis["scale"] = 1 / scale
    return {
        "tensor_id": shape["reference_tensor"],
        "axis_id": KINDS.get(letter, letter),
        "offset": int(2 * offset),
    }


def _operation(old: Mapping[str, Any], letters: str) -> dict[str, Any]:
    kwargs = dict(old.get("kwargs") or {})
    name, mode = str(old.get("name")), kwargs.pop("mode", None)
    known = name == "zero_mean_unit_variance" and kwargs.get("mean") is not None
    if mode == "fixed" or (mode is None and known):
        name = f"fixed_{name}"
    elif mode == "per_dataset" and kwargs.get("axes"):  # else all of them together
        kwargs["axes"] = f"b{kwargs['axes']}"
    if name in ALONG and isinstance(kwargs.get("axes"), str):
        # The axes that share a number; 0.5 names the one along which they differ.
        left = [a for a in letters if a not in f"b{kwargs['axes']}"]
        if len(left) == 1:
            kwargs["axis"] = KINDS.get(left[0], left[0])
            kwargs.pop("axes")
        elif not left or not any(isinstance(n, list) for n in kwargs.values()):
            kwargs.pop("axes")
    if isinstance(kwargs.get("axes"), str):
        kwargs["axes"] = [KINDS.get(letter, letter) for letter in kwargs["axes"]]
    return {"id": name, "kwargs": kwargs}
