"""Joins: where a U-Net's way up meets its way down, told to the runtime in the graph.

There, `care_runtime.trim` cuts off what a tile's halo is not needed for any more. For
that, no size of a tensor may be reckoned from that of the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import helper, numpy_helper

from care_runtime.trim import KEY, Trims
from care_training.ensemble import EnsembleConfig
from care_training.unet import UNetConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

    from care_training.form import Network

MERGED, LAST = "merged", "last"
"""Names of constants: a size that follows from the others, and an axis' last place."""

CONVOLUTIONS = 2
"""Those of a level on the way up."""


def tell(model: onnx.ModelProto, network: Network) -> None:
    """Say in the metadata of a graph where it may be cut, if it is of 3-D U-Nets.

    In planes, the halo of a tile is a small part of it, and nothing is gained.

    Parameters
    ----------
    model
        As torch exports it; sizes that it reckons from its input are rewritten.
    network
        Of which it was made.
    """
    config = network.config
    member = config.member if isinstance(config, EnsembleConfig) else config
    if not isinstance(member, UNetConfig) or member.dims != 3:
        return
    graph, depth = model.graph, member.depth
    _localize(graph)
    _drop_unused(graph)
    (given,) = graph.input
    if any(n.op_type == "Shape" and given.name in n.input for n in graph.node):
        return
    own = [n.input[0] for n in graph.node if n.op_type == "MaxPool"]
    below = [n.input[0] for n in graph.node if n.op_type == "Resize"]
    ladders = tuple(
        tuple(zip(reversed(b), o, strict=True))
        for b, o in zip(_groups(below, depth), _groups(own, depth), strict=True)
    )
    reach = CONVOLUTIONS * (member.kernel // 2)
    added = given.name if member.residual else ""
    said = Trims(member.dims, reach, ladders, added).write()
    model.metadata_props.add(key=KEY, value=said)


def _groups(names: Sequence[str], size: int) -> list[Sequence[str]]:
    """Split what is in order, a group for each U-Net."""
    return [names[i : i + size] for i in range(0, len(names), size)]


def _localize(graph: onnx.GraphProto) -> None:
    """Reckon sizes from the tensors that have them.

    Two tensors that are laid beside each other along a new axis, which is then merged
    with the one before it, are all that torch writes with sizes of the input; and the
    places of an axis but for its first and its last one.
    """
    made = {name: node for node in graph.node for name in node.output}
    nodes, merged = [], set()
    for node in graph.node:
        source = made.get(node.input[0]) if node.input else None
        if node.op_type == "Reshape" and source is not None and _is_stack(source, made):
            (axis,) = (a.i for a in source.attribute if a.name == "axis")
            nodes += _merging(node, axis)
            merged.add(node.output[0])
        elif node.op_type == "Slice" and node.input[0] in merged:
            node.input[2] = LAST
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    for name, value in ((MERGED, -1), (LAST, -1)):
        constant = numpy_helper.from_array(np.array([value], np.int64), name)
        graph.initializer.append(constant)


def _is_stack(node: onnx.NodeProto, made: dict[str, onnx.NodeProto]) -> bool:
    """Tell whether tensors are laid along a new axis that has one before it."""
    parts = [made[name].op_type if name in made else "" for name in node.input]
    later = any(a.name == "axis" and a.i > 0 for a in node.attribute)
    return node.op_type == "Concat" and set(parts) == {"Unsqueeze"} and later


def _merging(node: onnx.NodeProto, axis: int) -> list[onnx.NodeProto]:
    """Make the sizes of a tensor whose axis is merged with the one before it."""
    source, name = node.input[0], f"{node.output[0]}_sizes"
    before, after = f"{name}_before", f"{name}_after"
    node.input[1] = name
    return [
        helper.make_node("Shape", [source], [before], end=axis - 1),
        helper.make_node("Shape", [source], [after], start=axis + 1),
        helper.make_node("Concat", [before, MERGED, after], [name], axis=0),
    ]


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes and constants that nothing reads."""
    wanted = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    constants = [c for c in graph.initializer if c.name in wanted]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)
