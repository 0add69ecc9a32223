"""Tiny networks: ONNX files of a few kB, their specs and packages, for the tests."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from care_runtime.care import CareConfig, Normalization, Output, Resample, Tiling
from care_runtime.package import sha256
from care_runtime.spec import Spec, Weights
from care_runtime.tensor import Axis, File, ReferenceSize, SteppedSize, Tensor
from care_runtime.verify import preprocessed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.engine import Engine
    from care_runtime.image import Image

HALO = 5
"""Context that a pixel of `unet` needs: 1 + 1 + one coarse pixel of 2, rounded out."""


# networks


def model(
    nodes: Sequence[onnx.NodeProto],
    weights: Sequence[onnx.TensorProto],
    source: Sequence[Any],
    targets: dict[str, Sequence[Any]],
) -> onnx.ModelProto:
    """Assemble a network; `source` and `targets` are shapes of numbers and names."""

    def info(name: str, shape: Sequence[Any]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    outputs = [info(name, shape) for name, shape in targets.items()]
    graph = helper.make_graph(nodes, "tiny", [info("input", source)], outputs, weights)
    opset = helper.make_opsetid("", 17)
    made = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made


def identity(space: str) -> onnx.ModelProto:
    shape = ["b", 1, *space]
    node = helper.make_node("Identity", ["input"], ["mean"])
    return model([node], [], shape, {"mean": shape})


def unet(space: str, *, channels: int = 1) -> onnx.ModelProto:
    """Convolve, pool, convolve, upsample, concatenate with the skip and convolve."""
    dims, rng = len(space), np.random.default_rng(1)
    weights = []

    def conv(source: str, target: str, n_in: int, n_out: int) -> onnx.NodeProto:
        kernel = rng.normal(0, 0.3, (n_out, n_in, *[3] * dims)).astype(np.float32)
        bias = rng.normal(0, 0.1, n_out).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"{target}.w"))
        weights.append(numpy_helper.from_array(bias, f"{target}.b"))
        names = [source, f"{target}.w", f"{target}.b"]
        return helper.make_node("Conv", names, [target], pads=[1] * 2 * dims)

    scales = np.array([1, 1, *[2] * dims], np.float32)
    weights.append(numpy_helper.from_array(scales, "scales"))
    two = [2] * dims
    nearest = {"mode": "nearest", "nearest_mode": "floor"}
    where = {"coordinate_transformation_mode": "asymmetric"}
    nodes = [
        conv("input", "c1", channels, 4),
        helper.make_node("Relu", ["c1"], ["skip"]),
        helper.make_node("MaxPool", ["skip"], ["pool"], kernel_shape=two, strides=two),
        conv("pool", "c2", 4, 8),
        helper.make_node("Relu", ["c2"], ["low"]),
        helper.make_node("Resize", ["low", "", "scales"], ["up"], **nearest, **where),
        helper.make_node("Concat", ["up", "skip"], ["both"], axis=1),
        conv("both", "mean", 12, 1),
    ]
    target = ["B", 1, *space.upper()]
    return model(nodes, weights, ["b", channels, *space], {"mean": target})


def projection() -> onnx.ModelProto:
    """Average over Z, then blur Y and X."""
    kernel = np.full((1, 1, 3, 3), 1 / 9, np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["flat"], axes=[2], keepdims=0),
        helper.make_node("Conv", ["flat", "w"], ["mean"], pads=[1, 1, 1, 1]),
    ]
    weights = [numpy_helper.from_array(kernel, "w")]
    return model(nodes, weights, ["b", 1, *"zyx"], {"mean": ["b", 1, *"yx"]})


def mixture() -> onnx.ModelProto:
    """Answer with the mean of three channels."""
    kernel = np.full((1, 3, 1, 1), 1 / 3, np.float32)
    node = helper.make_node("Conv", ["input", "w"], ["mean"])
    weights = [numpy_helper.from_array(kernel, "w")]
    return model([node], weights, ["b", 3, *"yx"], {"mean": ["b", 1, *"yx"]})


def laplace() -> onnx.ModelProto:
    """Answer with the input as mean and its absolute value as scale."""
    shape = ["b", 1, *"yx"]
    nodes = [
        helper.make_node("Identity", ["input"], ["mean"]),
        helper.make_node("Abs", ["input"], ["scale"]),
    ]
    return model(nodes, [], shape, {"mean": shape, "scale": shape})


NETWORKS = {
    "identity2d": lambda: identity("yx"),
    "identity3d": lambda: identity("zyx"),
    "unet2d": lambda: unet("yx"),
    "unet3d": lambda: unet("zyx"),
    "projection": projection,
    "mixture": mixture,
    "laplace": laplace,
}


# specs


def tensor(name: str, space: str, channels: int, **known: Any) -> Tensor:
    """Describe a tensor of axes b, c and `space`; `known` are sizes and halos."""
    names = tuple(f"{name}{i}" for i in range(channels))
    size, halo = known.get("size", {}), known.get("halo", {})
    axes = (
        Axis("batch", "batch"),
        Axis("channel", "channel", channels=names),
        *(Axis("space", a, size=size.get(a), halo=halo.get(a, 0)) for a in space),
    )
    return Tensor(name, axes, data={"type": "float32"})


def spec(name: str, **care: Any) -> Spec:
    """Describe the network of that name; `care` replaces fields of `config.care`."""
    space = "zyx" if name in ("identity3d", "unet3d", "projection") else "yx"
    pooled = name.startswith("unet")
    grid = dict.fromkeys(space, 2 if pooled else 1)
    halo = dict.fromkeys(space, HALO if pooled else 0)
    size: dict[str, Any] = {a: SteppedSize(16, grid[a]) for a in space}
    whole: tuple[str, ...] = ()
    if name == "projection":
        grid, halo, whole = dict.fromkeys("yx", 1), dict.fromkeys("yx", 1), ("z",)
        size["z"] = 4
    channels = 3 if name == "mixture" else 1
    roles = {"mean": Output("mean", "affine")}
    if name == "laplace":
        roles["scale"] = Output("scale", "scale")
    outputs = tuple(
        tensor(
            role,
            "yx" if name == "projection" else space,
            1,
            size={a: ReferenceSize("input", a) for a in space},
        )
        for role in roles
    )
    config = CareConfig(
        task="denoising",
        version="1.0.0",
        normalization=Normalization(invert=name != "mixture"),
        tiling=Tiling(multiple=grid, halo=halo, size={"y": 64, "x": 64}, whole=whole),
        outputs=roles,
    )
    return Spec(
        name=name,
        description="A tiny network for tests",
        inputs=(tensor("input", space, channels, size=size),),
        outputs=outputs,
        care=replace(config, **care),
        about={"license": "BSD-3-Clause", "tags": ["care", space]},
    )


def resampled(factor: float, **known: Any) -> Resample:
    return Resample("z", factor, **known)


# packages


def write_package(folder: Path, name: str, engine: Engine, **care: Any) -> Path:
    """Write a package as `care_training.export` lays it out."""
    folder.mkdir(parents=True)
    onnx.save(NETWORKS[name](), folder / "model.onnx")
    described = spec(name, **care)
    image = noise(described.input.letters, Z=4, Y=24, X=20, C=described.input.channels)
    np.save(folder / "test_input.npy", image.astype(np.float32))
    answers = engine(preprocessed(described, image.astype(np.float32)))
    outputs = []
    for output, y in zip(described.outputs, answers, strict=True):
        suffix = "output" if output.id == "mean" else f"output_{output.id}"
        np.save(folder / f"test_{suffix}.npy", y)
        outputs.append(replace(output, test=hashed(folder / f"test_{suffix}.npy")))
    source = replace(described.input, test=hashed(folder / "test_input.npy"))
    weights = Weights(hashed(folder / "model.onnx"), 17)
    files = {"inputs": (source,), "outputs": tuple(outputs), "weights": weights}
    write_description(folder, replace(described, **files).to_dict())
    return folder


def write_description(folder: Path, values: dict[str, Any]) -> None:
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    (folder / "rdf.yaml").write_text(text, "utf-8")


def hashed(path: Path) -> File:
    return File(path.name, sha256(path))


# images


def noise(axes: str, dtype: str = "uint16", seed: int = 0, **sizes: int) -> NDArray:
    """Draw an image; axes without a size have length 1."""
    shape = [sizes.get(a, 1) for a in axes]
    return np.random.default_rng(seed).integers(1, 250, shape).astype(dtype)


def facts(image: Image) -> dict[str, Any]:
    """Return all that an image says of its pixels."""
    names = [field.name for field in fields(image) if field.name != "pixels"]
    return {name: getattr(image, name) for name in names}


def one_line(error: Exception) -> str:
    """Return the message of an error, which has to be one line."""
    text = str(error)
    assert text
    assert len(text.splitlines()) == 1, text
    assert "Traceback" not in text
    return text
