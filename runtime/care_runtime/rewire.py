"""Rewire: an ONNX graph written anew, which cuts tensors as its inputs say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_runtime.protobuf import bytes_of, fields, message, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from care_runtime.protobuf import Field
    from care_runtime.trim import Trims

AXES = "care_trims:axes"
"""Name of the constant that says which axes are cut: those of space."""

GRAPH, NODE, WEIGHT, INPUT, OUTPUT = 7, 1, 5, 11, 12
"""Fields of a model, and of its graph."""


def all_of(view: memoryview, key: int) -> Iterator[memoryview]:
    """Go through the messages that a field holds."""
    return (message(value) for found, value in fields(view) if found == key)


def cut(view: memoryview, trims: Trims) -> bytes:
    """Write the model with the graph cut."""
    return b"".join(
        bytes_of(key, _graph(message(value), trims) if key == GRAPH else value)
        for key, value in fields(view)
    )


def _graph(view: memoryview, trims: Trims) -> bytes:
    """Write the graph: whoever read a tensor that is cut reads what is left of it."""
    belows = {below for ladder in trims.ladders for below, _ in ladder}
    owns = {own for ladder in trims.ladders for _, own in ladder}
    left, parts = set(trims.tensors), []
    inputs = [_name(value) for value in all_of(view, INPUT)]
    if trims.added:
        parts.append(_slice(trims.added))
        left.remove(trims.added)
        if inputs != [trims.added]:
            msg = f"the inputs {', '.join(inputs)}"
            raise ValueError(msg)
    for key, value in fields(view):
        if key == NODE:
            node = list(fields(message(value)))
            parts.append(bytes_of(NODE, _node(node, belows, owns, trims.added)))
            made = left & {text(name) for k, name in node if k == 2}
            parts += map(_slice, sorted(made))
            left -= made
        elif key == OUTPUT:
            parts.append(bytes_of(OUTPUT, _shapeless(message(value))))
        else:
            parts.append(bytes_of(key, value))
    if left:
        msg = f"no tensor {', '.join(sorted(left))}"
        raise ValueError(msg)
    axes = range(2, 2 + trims.space)
    weight = b"".join([bytes_of(1, trims.space), bytes_of(2, 7), bytes_of(8, AXES)])
    weight += b"".join(bytes_of(7, axis) for axis in axes)
    parts.append(bytes_of(WEIGHT, weight))
    for name in trims.tensors:
        parts += [bytes_of(INPUT, _integers(e, trims.space)) for e in _ends(name)]
    return b"".join(parts)


def _node(node: list[Field], belows: set[str], owns: set[str], added: str) -> bytes:
    """Write a node, reading what is left of the tensors where they are cut.

    Those on the way down go whole into a pooling, and the input into a convolution.
    """
    kind = next((text(value) for key, value in node if key == 4), "")
    cut = belows if kind.endswith("Pool") else belows | owns
    cut = cut | {added} if kind == "Add" else cut
    return b"".join(
        bytes_of(key, _left(text(value)) if key == 1 and text(value) in cut else value)
        for key, value in node
    )


def _slice(name: str) -> bytes:
    """Write a node that cuts a tensor."""
    inputs = [bytes_of(1, n) for n in (name, *_ends(name), AXES)]
    return bytes_of(
        NODE, b"".join([*inputs, bytes_of(2, _left(name)), bytes_of(4, "Slice")])
    )


def _left(name: str) -> str:
    return f"{name}:left"


def _ends(name: str) -> tuple[str, str]:
    return f"{name}:start", f"{name}:stop"


def _integers(name: str, count: int) -> bytes:
    """Describe an input of so many integers."""
    shape = bytes_of(1, bytes_of(1, count))
    kind = bytes_of(1, bytes_of(1, 7) + bytes_of(2, shape))
    return bytes_of(1, name) + bytes_of(2, kind)


def _shapeless(view: memoryview) -> bytes:
    """Describe an output without its shape, which is no longer that of the input."""

    def without(inner: memoryview) -> bytes:
        return b"".join(bytes_of(k, v) for k, v in fields(inner) if k != 2)

    parts = []
    for key, value in fields(view):
        if key == 2:
            kinds = ((k, without(message(v))) for k, v in fields(message(value)))
            parts.append(bytes_of(2, b"".join(bytes_of(k, v) for k, v in kinds)))
        else:
            parts.append(bytes_of(key, value))
    return b"".join(parts)


def _name(view: memoryview) -> str:
    return next((text(value) for key, value in fields(view) if key == 1), "")
