"""Spec: what is written is read back, and what is wrong is named."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml
from tiny import one_line

from care_runtime.care import Normalization, Resample
from care_runtime.errors import SpecError
from care_runtime.spec import Spec, Weights
from care_runtime.tensor import (
    Axis,
    File,
    Operation,
    ReferenceSize,
    SteppedSize,
    Tensor,
)
from care_runtime.variant import Variant

BROAD = (
    Path(__file__).parents[3] / "shared/third_party/unet2d_nuclei_broad/bioimageio.yaml"
)


def full() -> Spec:
    """Describe something with every field set."""
    axes = (
        Axis("batch", "batch"),
        Axis("channel", "channel", channels=("DAPI", "GFP")),
        Axis("space", "z", 16, scale=0.3, unit="micrometer"),
        Axis("space", "y", SteppedSize(16, 4), concatenable=True),
        Axis("space", "x", ReferenceSize("input", "y", 2), halo=4),
        Axis("time", "time"),
        Axis("index", "index"),
    )
    operation = Operation("scale_range", {"min_percentile": 2.0, "axes": ["y", "x"]})
    source = Tensor(
        "input",
        axes,
        "An image",
        ({"type": "float32"}, {"type": "float32", "range": [0.0, None]}),
        File("in.npy", "ab"),
        File("in.tif"),
        (operation, Operation("ensure_dtype")),
    )
    spec = tiny.spec(
        "unet3d",
        resample=Resample("z", 2.5, "after", round=True),
        normalization=Normalization(None, "TZYX", invert=False),
        variants={"model.mean.onnx": Variant(("mean",), "cd")},
        training={"steps": 10, "data": {"origin": "real"}, "scores": [1.5, None]},
    )
    return replace(
        spec,
        inputs=(source,),
        weights=Weights(File("model.onnx", "ef"), 17),
        about={"authors": [{"name": "M."}], "covers": [], "version": "1.0"},
        config={"deepimagej": {"prediction": {}}},
        description="",
    )


SPECS = [
    full(),
    *(tiny.spec(name) for name in tiny.NETWORKS),
    replace(tiny.spec("unet2d"), care=None),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_round_trip(spec: Spec) -> None:
    values = spec.to_dict()
    assert Spec.from_dict(values) == spec
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    assert Spec.from_dict(yaml.safe_load(text)) == spec
    assert Spec.from_dict(values).to_dict() == values


def test_lookups() -> None:
    spec = full()
    assert spec.input.letters == "BCZYXT?"
    assert (spec.input.channels, spec.input.axis("Z").size) == (2, 16)
    assert spec.output("mean") is spec.outputs[0]
    with pytest.raises(SpecError, match=r"no output 'std'.*mean") as error:
        spec.output("std")
    one_line(error.value)


# wrong descriptions


def changed(path: str, value: Any = None) -> dict[str, Any]:
    """Change the value at a path of keys in a description; None takes it out."""
    values: Any = copy.deepcopy(full().to_dict())
    *parents, last = path.split("/")
    part = values
    for key in parents:
        part = part[int(key) if isinstance(part, list) else key]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return values


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nmae", "'nmae'.*'name'"),
        ("config/care/taks", "'taks'.*'task'"),
        ("config/care/tiling/haloo", "'haloo'.*'halo'"),
        ("config/care/normalization/percentile", "'percentile'.*'percentiles'"),
        ("config/care/resample/factr", "'factr'.*'factor'"),
        ("config/care/outputs/mean/knid", "'knid'.*'kind'"),
        ("inputs/0/axs", "'axs'.*'axes'"),
        ("inputs/0/axes/1/chanel_names", "'chanel_names'.*'channel_names'"),
        ("inputs/0/axes/3/size/stepp", "'stepp'.*'step'"),
        ("inputs/0/test_tensor/sha265", "'sha265'.*'sha256'"),
        ("inputs/0/preprocessing/0/kwarg", "'kwarg'.*'kwargs'"),
        ("weights/onnx/sha", "'sha'"),
        ("weights/torchscript", "'torchscript'"),
    ],
)
def test_unknown_keys_are_named(path: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as error:
        Spec.from_dict(changed(path, "x"))
    one_line(error.value)


@pytest.mark.parametrize(
    "path",
    [
        "name",
        "inputs",
        "outputs",
        "inputs/0/id",
        "inputs/0/axes",
        "inputs/0/axes/2/type",
        "inputs/0/axes/4/size/axis_id",
        "inputs/0/preprocessing/0/id",
        "weights/onnx/source",
        "config/care/task",
        "config/care/version",
        "config/care/tiling",
        "config/care/outputs/mean/undo",
        "config/care/normalization/percentiles",
        "config/care/resample/axis",
    ],
)
def test_missing_keys_are_named(path: str) -> None:
    with pytest.raises(SpecError, match=repr(path.rpartition("/")[2])) as error:
        Spec.from_dict(changed(path))
    one_line(error.value)


def test_a_missing_key_that_was_misspelt() -> None:
    values = changed("config/care/task")
    values["config"]["care"]["taks"] = "denoising"
    with pytest.raises(SpecError, match=r"'task'.*was 'taks' meant"):
        Spec.from_dict(values)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", 7),
        ("type", "dataset"),
        ("inputs", "image"),
        ("inputs", []),
        ("inputs", ["image"]),
        ("inputs/0/axes", {}),
        ("inputs/0/axes/1/type", "chanel"),
        ("inputs/0/axes/1/channel_names", 3),
        ("inputs/0/axes/2/size", "large"),
        ("inputs/0/axes/2/size", {"min": 1.5}),
        ("inputs/0/axes/2/scale", "0.3"),
        ("inputs/0/axes/2/halo", True),
        ("inputs/0/axes/3/concatenable", "no"),
        ("inputs/0/data", "float32"),
        ("inputs/0/test_tensor", "in.npy"),
        ("inputs/0/test_tensor/source", 3),
        ("weights", "model.onnx"),
        ("weights", {"torchscript": {"source": "x"}}),
        ("config", []),
        ("config/care", "denoising"),
        ("config/care/version", 1.0),
        ("config/care/outputs/mean", "affine"),
        ("config/care/outputs/mean/undo", "sometimes"),
        ("config/care/normalization/percentiles", "all"),
        ("config/care/normalization/percentiles", [2]),
        ("config/care/normalization/percentiles", [99, 2]),
        ("config/care/normalization/percentiles", [0, 101]),
        ("config/care/normalization/axes", "zyx"),
        ("config/care/normalization/invert", "yes"),
        ("config/care/tiling/multiple", {"y": 0}),
        ("config/care/tiling/multiple", {"Y": 2}),
        ("config/care/tiling/halo", {"y": -1}),
        ("config/care/tiling/halo", {"y": 1.5}),
        ("config/care/tiling/whole", 3),
        ("config/care/resample/factor", 0),
        ("config/care/resample/factor", float("nan")),
        ("config/care/resample/when", "later"),
    ],
)
def test_wrong_values_are_named(path: str, value: Any) -> None:
    with pytest.raises(SpecError, match=r"expected .*, found ") as error:
        Spec.from_dict(changed(path, value))
    one_line(error.value)


@pytest.mark.parametrize("version", ["0.3.2", "1.0.0", "", None])
def test_wrong_formats(version: Any) -> None:
    with pytest.raises(SpecError, match=r"0\.4 or 0\.5.*found") as error:
        Spec.from_dict(changed("format_version", version))
    one_line(error.value)


# descriptions of others


def test_a_description_of_others_is_read_leniently() -> None:
    if not BROAD.is_file():
        pytest.skip(f"{BROAD} is not on this machine")
    spec = Spec.from_dict(yaml.safe_load(BROAD.read_text("utf-8")))
    assert (spec.name, spec.care) == ("UNet 2D Nuclei Broad", None)
    assert (spec.input.letters, spec.outputs[0].letters) == ("BCYX", "BCYX")
    assert spec.outputs[0].axis("Y").size == ReferenceSize("raw", "y")
    assert [op.id for op in spec.outputs[0].operations] == ["sigmoid", "ensure_dtype"]
    assert spec.weights is not None
    assert spec.weights.onnx.source == "weights.onnx"
    assert Spec.from_dict(spec.to_dict()) == spec


def old() -> dict[str, Any]:
    """Describe a 3-D network in format 0.4."""
    return {
        "format_version": "0.4.9",
        "type": "model",
        "name": "old",
        "authors": [{"name": "A."}],
        "inputs": [
            {
                "name": "raw",
                "axes": "bczyx",
                "data_type": "float32",
                "shape": {"min": [1, 1, 8, 32, 32], "step": [0, 0, 4, 16, 16]},
                "preprocessing": [
                    {
                        "name": "scale_range",
                        "kwargs": {"mode": "per_sample", "axes": "zyx"},
                    },
                    {
                        "name": "zero_mean_unit_variance",
                        "kwargs": {"mode": "fixed", "mean": 1, "axes": "yx"},
                    },
                ],
            },
        ],
        "outputs": [
            {
                "name": "restored",
                "axes": "bczyx",
                "halo": [0, 0, 2, 8, 8],
                "shape": {
                    "reference_tensor": "raw",
                    "scale": [1, 1, 2, 1, 1],
                    "offset": [0, 0, 0, -4, -4],
                },
            }
        ],
        "test_inputs": ["in.npy"],
        "test_outputs": ["out.npy"],
        "weights": {"onnx": {"source": "w.onnx", "sha256": "00"}},
    }


def test_a_description_of_format_0_4() -> None:
    spec = Spec.from_dict(old())
    assert (spec.name, spec.format, spec.care) == ("old", "0.4.9", None)
    assert (spec.input.letters, spec.input.channels) == ("BCZYX", 1)
    assert spec.input.axis("Y").size == SteppedSize(32, 16)
    assert spec.input.test == File("in.npy")
    names = [op.id for op in spec.input.operations]
    assert names == ["scale_range", "fixed_zero_mean_unit_variance"]
    assert spec.input.operations[0].kwargs["axes"] == ["z", "y", "x"]
    (output,) = spec.outputs
    assert output.axis("Z").size == ReferenceSize("raw", "z")
    assert (output.axis("Z").scale, output.axis("Z").halo) == (0.5, 2)
    assert output.axis("Y").size == ReferenceSize("raw", "y", -8)
    assert spec.weights == Weights(File("w.onnx", "00"))


@pytest.mark.parametrize(
    ("side", "change"),
    [
        ("inputs", {"axes": None}),
        ("inputs", {"name": None}),
        ("inputs", {"shape": [1, 1]}),
        ("inputs", {"shape": {"min": [1, 1, 8, 32, 32]}}),
        ("outputs", {"shape": {"reference_tensor": "raw", "scale": [1] * 5}}),
        ("outputs", {"halo": [1]}),
        ("inputs", {"preprocessing": ["scale_range"]}),
        ("inputs", {"preprocessing": 3}),
    ],
)
def test_broken_descriptions_of_format_0_4(side: str, change: dict[str, Any]) -> None:
    values = old()
    tensor = values[side][0] | change
    values[side] = [{k: v for k, v in tensor.items() if v is not None}]
    with pytest.raises(SpecError, match=f"{side}") as error:
        Spec.from_dict(values)
    one_line(error.value)


def test_inputs_of_format_0_4_that_are_no_list() -> None:
    for wrong in ("raw", ["raw"], {"raw": 1}, 3):
        with pytest.raises(SpecError, match="inputs"):
            Spec.from_dict(old() | {"inputs": wrong})
