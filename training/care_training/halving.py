"""Halving: a network's graph in half precision, where that does no harm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from care_runtime.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Collection

SEEDS = ("Conv", "ConvTranspose")
"""Operators that cost, and are worth it."""

FOLLOWERS = {
    "Relu": 1,
    "LeakyRelu": 1,
    "MaxPool": 1,
    "AveragePool": 1,
    "Resize": 1,
    "Transpose": 1,
    "Reshape": 1,
    "Squeeze": 1,
    "Unsqueeze": 1,
    "Slice": 1,
    "Identity": 1,
    "Concat": None,
    "Add": None,
}
"""Operators that take what they get, and how many of their inputs are pixels: they
stay in half precision where they find it in all of these, and lose next to nothing."""

CURVED = (
    "Softmax",
    "Softplus",
    "Sigmoid",
    "Exp",
    "Log",
    "Sqrt",
    "Pow",
    "Tanh",
    "Erf",
)
"""Operators that make much of a small difference."""

HALF = TensorProto.FLOAT16

BLIND = ("Shape", "Size")
"""Operators that do not look at pixels."""


def halved(model: onnx.ModelProto, exact: Collection[str] = ()) -> onnx.ModelProto:
    """Rewrite a network: convolutions and what lies between them in half precision.

    Inputs and outputs stay as they are, in float32. So do all other operators:
    softplus, exponentials, logarithms and the whole of the disagreement; and so do the
    last convolutions before a curved operator, or before an output named `exact`: the
    heads of a probability. The input is added to what a residual network found as it
    came, not as half precision holds it.

    Parameters
    ----------
    model
        In float32; it is not changed.
    exact
        Outputs whose heads stay in float32.

    Raises
    ------
    ExportError
        If it has weights that half precision cannot hold, or graphs within graphs.
    """
    if model.functions or any(
        a.HasField("g") or a.graphs for node in model.graph.node for a in node.attribute
    ):
        msg = "expected a plain graph to halve, found functions or graphs within it"
        raise ExportError(msg)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    kept = _heads(graph, exact)
    change = _Change({w.name: w for w in graph.initializer})
    for number, node in enumerate(model.graph.node):
        change.add(node, exact=number in kept)
    for value in graph.output:
        change.give_back(value.name)
    used = {name for node in change.nodes for name in node.input}
    del graph.node[:], graph.value_info[:]
    graph.node.extend(change.nodes)
    weights = [w for w in (*graph.initializer, *change.made) if w.name in used]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    onnx.checker.check_model(made, full_check=True)
    return made


def emulated(model: onnx.ModelProto) -> onnx.ModelProto:
    """Rewrite a halved network in float32 that rounds whatever half precision rounds.

    ONNX Runtime runs half precision on a CPU in float32, and leaves the rounding
    between its operators out: a network that overflows on a GPU does not there. With
    casts of ours, which it keeps, every result is rounded to half precision, as on a
    GPU that adds up in float32.

    Parameters
    ----------
    model
        As `halved` makes it; it is not changed.
    """
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    half = {
        value.name
        for value in inferred.value_info
        if value.type.tensor_type.elem_type == HALF
    }
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:], made.graph.value_info[:]
    for node in model.graph.node:
        new = made.graph.node.add()
        new.CopyFrom(node)
        new.name = ""  # casts are named by what they give
        if node.op_type == "Cast" and node.output[0] in half:
            new.attribute[0].i = TensorProto.FLOAT
        for place, name in enumerate(node.output):
            if name in half:
                new.output[place] = f"{name}_exact"
                made.graph.node.extend(
                    [
                        _cast_node(new.output[place], f"{name}_short", HALF),
                        _cast_node(f"{name}_short", name, TensorProto.FLOAT),
                    ]
                )
    for weight in made.graph.initializer:
        if weight.data_type == HALF:
            values = numpy_helper.to_array(weight).astype(np.float32)
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.checker.check_model(made, full_check=True)
    return made


def _heads(graph: onnx.GraphProto, exact: Collection[str]) -> set[int]:
    """Find the convolutions that stay as they are: the last before what is exact."""
    maker = {name: i for i, node in enumerate(graph.node) for name in node.output}
    names = list(exact)
    names += [n for node in graph.node if node.op_type in CURVED for n in node.input]
    found, seen = set(), set(names)
    while names:
        number = maker.get(names.pop())
        if number is None:
            continue
        node = graph.node[number]
        if node.op_type in SEEDS:
            found.add(number)
            continue
        more = [] if node.op_type in BLIND else [n for n in node.input if n not in seen]
        seen.update(more)
        names += more
    return found


@dataclass(slots=True)
class _Change:
    """The nodes so far, and which tensors have half precision.

    Parameters
    ----------
    weights
        Of the network, by name.
    """

    weights: dict[str, TensorProto]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    made: list[TensorProto] = field(default_factory=list)
    _half: set[str] = field(default_factory=set)
    _cast: dict[tuple[str, int], str] = field(default_factory=dict)

    def add(self, node: onnx.NodeProto, *, exact: bool) -> None:
        """Take over a node in the precision that it is to have."""
        kind, new = node.op_type, onnx.NodeProto()
        new.CopyFrom(node)
        pixels = FOLLOWERS.get(kind, 0)
        seen = [n for n in (node.input[:pixels] if kind in FOLLOWERS else ()) if n]
        seed = kind in SEEDS and not exact
        if seed or (seen and all(name in self._half for name in seen)):
            if seed:
                self._feed(new, HALF)
            self._half.update(node.output)
        elif kind not in BLIND:
            self._feed(new, TensorProto.FLOAT)
        self.nodes.append(new)

    def give_back(self, name: str) -> None:
        """Have an output of the network in float32 again."""
        if name not in self._half:
            return
        inner = f"{name}_half"
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [inner if n == name else n for n in names]
        # Who reads it in float32 reads the output, under its old name.
        cast = self._cast.pop((name, TensorProto.FLOAT), None)
        if cast is not None:
            self.nodes = [n for n in self.nodes if cast not in n.output]
            for node in self.nodes:
                node.input[:] = [name if n == cast else n for n in node.input]
        at = 1 + max(i for i, n in enumerate(self.nodes) if inner in n.output)
        self.nodes.insert(at, _cast_node(inner, name, TensorProto.FLOAT))

    def _feed(self, node: onnx.NodeProto, kind: int) -> None:
        """Cast those inputs of a node that have the other precision."""
        half = kind == HALF
        for place, name in enumerate(node.input):
            if name and (name in self._half) != half:
                node.input[place] = self._as(name, kind)

    def _as(self, name: str, kind: int) -> str:
        """Name a tensor in a precision, and make it at its first use."""
        if (name, kind) in self._cast:
            return self._cast[name, kind]
        half = kind == HALF
        if not half and name not in self._half:
            return name
        new = f"{name}_{'fp16' if half else 'fp32'}"
        if name in self.weights:
            self.made.append(_narrow(self.weights[name], new))
        else:
            self.nodes.append(_cast_node(name, new, kind))
        self._cast[name, kind] = new
        return new


def _cast_node(name: str, new: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [name], [new], name=f"cast_{new}", to=kind)


def _narrow(weight: TensorProto, name: str) -> TensorProto:
    """Round weights to half precision."""
    values = numpy_helper.to_array(weight)
    if values.dtype != np.float32:
        msg = (
            f"expected the weights {weight.name!r} in float32, found {values.dtype}: "
            "only such networks are halved"
        )
        raise ExportError(msg)
    most = float(np.abs(values).max(initial=0.0))
    if not most <= float(np.finfo(np.float16).max):
        msg = (
            f"expected weights that half precision can hold, found {most:.3g} in "
            f"{weight.name!r}: publish the model without fp16"
        )
        raise ExportError(msg)
    return numpy_helper.from_array(values.astype(np.float16), name)
