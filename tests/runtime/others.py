"""Others: packages of other projects, with networks of one layer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import tiny
from onnx import TensorProto, helper, numpy_helper

import care_runtime
from care_runtime import package as package_

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = np.random.default_rng(0).normal(0, 0.3, (1, 1, 5, 5)).astype(np.float32)


# networks of others: their tensors have names of their own


def info(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def network(
    nodes: list[Any],
    source: Any,
    targets: list[Any],
    weights: dict[str, Any] | None = None,
) -> onnx.ModelProto:
    """Make a network of one input, or of a list of them."""
    made = [numpy_helper.from_array(w, name) for name, w in (weights or {}).items()]
    sources = source if isinstance(source, list) else [source]
    graph = helper.make_graph(nodes, "foreign", sources, targets, made)
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def convolution(size: Any = "n") -> onnx.ModelProto:
    """Convolve a plane; it takes one size only, if one is given."""
    node = helper.make_node("Conv", ["in0", "w"], ["out0"], pads=[2] * 4)
    shape = [1, 1, size, f"{size}x" if size == "n" else size]
    return network([node], info("in0", shape), [info("out0", shape)], {"w": KERNEL})


def convolved(image: Any) -> Any:
    padded = np.pad(np.float32(image), 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    return (windows * KERNEL[0, 0]).sum((-1, -2))


def axis(name: str, **more: Any) -> dict[str, Any]:
    kind = {"batch": "batch", "channel": "channel"}.get(name, "space")
    return {"type": kind, "id": name, **more}


def tensor(name: str, *axes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "axes": list(axes), **more}


def same(name: str, **more: Any) -> dict[str, Any]:
    """Describe an output axis as long as the input's."""
    return axis(name, size={"tensor_id": "raw", "axis_id": name}, **more)


def channel(count: int = 1) -> dict[str, Any]:
    return axis("channel", channel_names=[f"c{i}" for i in range(count)])


def plane(size: Any, *steps: Any) -> dict[str, Any]:
    space = [axis(a, size=size) for a in "yx"]
    return tensor("raw", axis("batch"), channel(), *space, preprocessing=list(steps))


def answer(*steps: Any, halo: int = 0, name: str = "out") -> dict[str, Any]:
    space = [same(a, **({"halo": halo} if halo else {})) for a in "yx"]
    return tensor(name, axis("batch"), channel(), *space, postprocessing=list(steps))


def package(
    folder: Path, model: onnx.ModelProto, source: Any, *targets: Any, **more: Any
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "weights.onnx")
    sources = source if isinstance(source, list) else [source]
    values = {
        "format_version": "0.5.4",
        "type": "model",
        "name": "of others",
        "inputs": sources,
        "outputs": list(targets),
        "weights": {"onnx": {"source": "weights.onnx", "opset_version": 17}},
        **more,
    }
    plain = json.loads(json.dumps(values))  # PyYAML writes aliases of shared lists
    tiny.write_description(folder, plain)
    return folder


def load(folder: Path, **more: Any) -> care_runtime.Restorer:
    return care_runtime.load(package_.read_folder(folder), device="cpu", **more)


STEPPED = {"min": 16, "step": 16}
