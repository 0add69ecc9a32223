"""Half precision: what is rewritten, what stays, and what is refused."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import yaml
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

import care_zoo
from care_runtime import bundle, footprint, gpu, store, wire
from care_runtime import package as package_
from care_runtime.engine import Engine
from care_runtime.errors import ExportError
from care_runtime.restore import Restorer
from care_training import export, fit, half, networks, sample
from care_training.cli import main
from care_training.half import Agreement
from care_training.halving import emulated, halved
from care_training.pairs import Pair

if TYPE_CHECKING:
    from pathlib import Path

PLANARIA = care_zoo.MODELS / "denoise_planaria"
WIDEFIELD = care_zoo.MODELS / "denoise_widefield"
"""Of planes: for what has nothing to do with the size of a network."""

FLYWING = care_zoo.MODELS / "project_flywing"


def types(model: onnx.ModelProto) -> dict[str, int]:
    """Infer the type of every tensor."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [*graph.value_info, *graph.input, *graph.output]
    found = {v.name: v.type.tensor_type.elem_type for v in values}
    return found | {w.name: w.data_type for w in graph.initializer}


def graph(nodes: list[onnx.NodeProto], outputs: list[str], **weights: Any) -> Any:
    """Assemble a network of (1, 1, N, N) that reads x."""

    def info(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 8, 8])

    made = helper.make_graph(
        nodes,
        "g",
        [info("x")],
        [info(name) for name in outputs],
        [numpy_helper.from_array(w, name) for name, w in weights.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(made, ir_version=8, opset_imports=opset)


def conv(source: str, target: str, weight: str = "w") -> onnx.NodeProto:
    return helper.make_node("Conv", [source, weight], [target], pads=[1, 1, 1, 1])


W = np.random.default_rng(0).normal(size=(1, 1, 3, 3)).astype(np.float32)


def answers(model: onnx.ModelProto, x: Any) -> list[Any]:
    return Engine(model.SerializeToString(), "cpu", threads=1)(x)


@pytest.fixture
def x() -> Any:
    return np.random.default_rng(1).random((1, 1, 8, 8), np.float32)


# what is rewritten


@pytest.mark.parametrize("name", ["denoise_planaria", "denoise_widefield"])
def test_all_that_costs_is_halved(name: str) -> None:
    model = onnx.load(str(care_zoo.MODELS / name / "model.onnx"))
    made = halved(model)
    found = types(made)
    floats = [n for n in made.graph.node if found[n.output[0]] == TensorProto.FLOAT]
    assert [n.op_type for n in floats] == ["Cast", "Add"]
    assert floats[-1].output[0] == made.graph.output[0].name
    # In, and out before the input is added as it came.
    assert [n.op_type for n in made.graph.node].count("Cast") == 2
    assert (made.ir_version, made.opset_import[0].version) == (8, 17)
    for value in (*made.graph.input, *made.graph.output):
        assert value.type.tensor_type.elem_type == TensorProto.FLOAT
    assert made.ByteSize() < 0.52 * model.ByteSize()


def test_heads_of_probabilities_stay() -> None:
    model = onnx.load(str(FLYWING / "model.onnx"))
    exact = ["std", "disagreement", "member_scale"]
    made = halved(model, exact)
    found = types(made)
    kept = [n for n in made.graph.node if n.op_type == "Conv"]
    kept = [n for n in kept if found[n.output[0]] == TensorProto.FLOAT]
    # Of each of four members: mean, scale, and the choice of the plane.
    assert len(kept) == 12
    for node in made.graph.node:
        if node.op_type in ("Softplus", "Softmax", "Log", "Exp", "Sub", "Clip", "Sqrt"):
            inputs = {found[n] for n in node.input if n}
            assert TensorProto.FLOAT16 not in inputs, node.op_type


def test_a_head_before_a_curve_stays(x: Any) -> None:
    nodes = [
        conv("x", "a"),
        helper.make_node("Relu", ["a"], ["b"]),
        conv("b", "c"),
        helper.make_node("Softplus", ["c"], ["scale"]),
        conv("b", "mean"),
    ]
    made = halved(graph(nodes, ["mean", "scale"], w=W))
    found = types(made)
    assert found["c"] == TensorProto.FLOAT
    assert found["a"] == found["b"] == TensorProto.FLOAT16
    assert found["mean"] == TensorProto.FLOAT
    full = answers(graph(nodes, ["mean", "scale"], w=W), x)
    for y, z in zip(answers(made, x), full, strict=True):
        assert 0 < np.abs(y - z).max() < 1e-2 * np.ptp(z)


def test_an_output_that_others_read(x: Any) -> None:
    nodes = [
        conv("x", "first"),
        helper.make_node("Exp", ["first"], ["second"]),
        conv("first", "third"),
    ]
    # The first is a head, for its exponential counts; and without that, it is none.
    names = ["first", "second", "third"]
    made = halved(graph(nodes, names, w=W))
    assert types(made)["first"] == TensorProto.FLOAT
    nodes[1] = helper.make_node("Abs", ["first"], ["second"])
    plain = graph(nodes, names, w=W)
    made = halved(plain)
    for y, z in zip(answers(made, x), answers(plain, x), strict=True):
        np.testing.assert_allclose(y, z, atol=2e-3 * np.ptp(z))


def test_shapes_are_left_alone(x: Any) -> None:
    nodes = [
        conv("x", "a"),
        helper.make_node("Shape", ["a"], ["shape"]),
        helper.make_node("Reshape", ["a", "shape"], ["b"]),
        helper.make_node("Concat", ["b", "x"], ["c"], axis=0),
        helper.make_node("ReduceMean", ["c"], ["y"], axes=[0], keepdims=1),
    ]
    made = halved(graph(nodes, ["y"], w=W))
    found = types(made)
    assert found["b"] == TensorProto.FLOAT16
    assert found["c"] == TensorProto.FLOAT
    assert next(n for n in made.graph.node if n.op_type == "Shape").input[0] == "a"
    (y,), (z,) = answers(made, x), answers(graph(nodes, ["y"], w=W), x)
    np.testing.assert_allclose(y, z, atol=1e-2)


def test_the_network_that_was_given_is_not_changed() -> None:
    model = graph([conv("x", "y")], ["y"], w=W)
    before = model.SerializeToString()
    halved(model)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("weight", [1e5, np.inf, np.nan])
def test_weights_that_do_not_fit(weight: float) -> None:
    with pytest.raises(ExportError, match="half precision can hold"):
        halved(graph([conv("x", "y")], ["y"], w=W * np.float32(weight)))


def test_graphs_within_graphs_are_refused() -> None:
    inner = graph([conv("x", "y")], ["y"], w=W).graph
    node = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    with pytest.raises(ExportError, match="plain graph"):
        halved(graph([node], ["y"], w=W))


@pytest.mark.parametrize("scale", [1.0, 4000.0])
def test_rounded_as_on_a_gpu(scale: float) -> None:
    """By itself, ONNX Runtime on a CPU computes on beyond what half precision holds."""
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Conv", ["c", "d"], ["y"]),
    ]
    weights = {n: np.full((1, 1, 1, 1), v) for n, v in {"a": scale, "d": 1}.items()}
    weights["d"] = weights["d"] / scale
    weights = {n: w.astype(np.float32) for n, w in weights.items()}
    x = np.random.default_rng(0).uniform(30, 31, (1, 1, 8, 8)).astype(np.float32)
    model = halved(graph(nodes, ["y"], **weights))
    (y,) = answers(emulated(model), x)
    if scale > 1:
        assert np.isinf(y).all()
        return
    np.testing.assert_array_equal(y, x.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("name", ["denoise_planaria", "denoise_widefield"])
def test_what_rounds_is_the_same_network(name: str) -> None:
    model = halved(onnx.load(str(care_zoo.MODELS / name / "model.onnx")))
    space = model.graph.input[0].type.tensor_type.shape.dim
    x = np.random.default_rng(0).random((1, 1, *[32] * (len(space) - 2)), np.float32)
    (y,), (z,) = answers(model, x), answers(emulated(model), x)
    assert 0 < np.abs(y - z).max() < 2e-3 * np.ptp(x)


# what is accepted


@pytest.mark.parametrize(
    ("differences", "psnr", "word"),
    [
        ({"mean": 9e-3}, (30.0, 30.04), None),
        ({"mean": 9e-3}, (30.0, 29.96), None),
        ({"mean": 1.1e-2}, (30.0, 30.0), "'mean' differs"),
        ({"mean": 0.0, "std": 0.5}, (30.0, 30.0), "'std' differs"),
        ({"mean": float("nan")}, (30.0, 30.0), "'mean' differs"),
        ({"mean": float("inf")}, (30.0, 30.0), "'mean' differs"),
        ({"mean": 0.0}, (30.0, 29.94), "PSNR is 29.940 dB"),
        ({"mean": 0.0}, (30.0, 30.06), "PSNR is 30.060 dB"),
        ({"mean": 0.0}, (30.0, float("nan")), "PSNR is nan"),
    ],
)
def test_what_is_accepted(differences: Any, psnr: Any, word: str | None) -> None:
    problem = Agreement(differences, psnr).problem
    assert (problem is None) == (word is None)
    assert word is None or word in str(problem)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Agreement]]:
    return half.add(PLANARIA, tmp_path_factory.mktemp("half") / "denoise_planaria")


def test_a_package_with_half_precision(made: Any) -> None:
    package, known = made
    bundle.check(package)
    assert list(known) == ["model.fp16.onnx"]
    (agreement,) = known.values()
    assert 0 < agreement.differences["mean"] < half.CLOSE
    assert abs(agreement.psnr[1] - agreement.psnr[0]) < half.LOSS
    path = package.network(["mean"], "fp16")
    assert path.name == "model.fp16.onnx"
    assert package.network(["mean"]).name == "model.onnx"
    wire.check(path)
    card = (package.folder / "README.md").read_text("utf-8")
    assert "## Half precision" in card
    assert str(agreement) in card
    own = package_.read_folder(PLANARIA)
    assert package.onnx.read_bytes() == own.onnx.read_bytes()
    assert package.spec.about == own.spec.about
    assert package.version == f"{own.version}+fp16"


def test_its_footprint_is_half(made: Any) -> None:
    package, _ = made
    filters = package.spec.care.training["network"]["filters"]
    cost = 1680 * filters / 32
    assert footprint.bytes_a_pixel(package.onnx) == pytest.approx(cost)
    path = package.network(["mean"], "fp16")
    assert footprint.bytes_a_pixel(path) == pytest.approx(cost / 2)


def test_it_may_be_done_again(made: Any, tmp_path: Path) -> None:
    package, known = made
    again, found = half.add(package.folder, tmp_path / "denoise_planaria")
    assert found == known
    assert again.spec == package.spec
    cards = [(p.folder / "README.md").read_text("utf-8") for p in (again, package)]
    assert cards[0] == cards[1]


def test_a_network_that_differs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: onnx.ModelProto, exact: Any) -> onnx.ModelProto:
        made = halved(model, exact)
        for weight in made.graph.initializer:
            if weight.name.startswith("head") or weight.name == WEIGHT:
                values = numpy_helper.to_array(weight) * 1.5
                weight.CopyFrom(
                    numpy_helper.from_array(values.astype(np.float16), weight.name)
                )
        return made

    model = onnx.load(str(WIDEFIELD / "model.onnx"))
    last = [n for n in model.graph.node if n.op_type == "Conv"][-1]
    WEIGHT = f"{last.input[1]}_fp16"
    monkeypatch.setattr(half, "halved", broken)
    with pytest.raises(ExportError, match="refused: its output 'mean' differs"):
        half.add(WIDEFIELD, tmp_path / "denoise_widefield")
    assert not [*tmp_path.iterdir()]


def test_published_with_half_precision(tmp_path: Path) -> None:
    def run(*words: Any) -> Any:
        line = ["publish", str(tmp_path / "zoo"), str(WIDEFIELD), *map(str, words)]
        return CliRunner().invoke(main, line)

    result = run("--fp16")
    assert result.exit_code == 0, result.output
    assert "model.fp16.onnx differs from float32 by" in result.output
    found = store.locate("denoise_widefield", zoo=str(tmp_path / "zoo"))
    assert found.version == "1.0.0+fp16"
    assert found.offers(["mean"], "fp16")
    assert run("--fp16").exit_code == 0  # the same package, once more
    assert run().exit_code == 0
    names = sorted(p.name for p in (tmp_path / "zoo" / "denoise_widefield").iterdir())
    assert names == ["1.0.0+fp16.zip", "1.0.0.zip"]
    plain = store.locate("denoise_widefield@1.0.0", zoo=str(tmp_path / "zoo"))
    assert not plain.offers(["mean"], "fp16")
    assert not [*WIDEFIELD.glob("*fp16*")]


def test_the_gallery_shows_what_was_published(tmp_path: Path) -> None:
    line = ["publish", str(tmp_path / "zoo"), str(WIDEFIELD), "--fp16"]
    assert CliRunner().invoke(main, line).exit_code == 0
    page = (tmp_path / "zoo" / "index.html").read_text("utf-8")
    assert 'href="denoise_widefield/1.0.0%2Bfp16.zip"' in page
    assert "Half precision" in page


def test_without_a_truth(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(WIDEFIELD, bare)
    (bare / "sample_truth.tif").unlink()
    values = yaml.safe_load((bare / "rdf.yaml").read_text("utf-8"))
    values["attachments"] = [
        each for each in values["attachments"] if each["source"] != "sample_truth.tif"
    ]
    (bare / "rdf.yaml").write_text(yaml.safe_dump(values), "utf-8")
    line = ["publish", str(tmp_path / "zoo"), str(bare), "--fp16"]
    result = CliRunner().invoke(main, line)
    assert result.exit_code == 1
    assert "export it with a truth" in result.output
    assert not (tmp_path / "zoo").exists()
    own = sample.read(package_.read_folder(WIDEFIELD))
    pairs = [Pair("other", own.low, own.truth)]
    _, known = half.add(bare, tmp_path / "halved", pairs)
    assert abs(np.subtract(*known["model.fp16.onnx"].psnr)) < half.LOSS


def test_it_may_be_trained_further(made: Any) -> None:
    package, _ = made
    weights = []
    for each in (package_.read_folder(PLANARIA), package):
        config = networks.read(export.read_config(each))
        assert config.dims == 3
        weights.append(fit.network(config, 0, each).state_dict())
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        np.testing.assert_array_equal(value, weights[1][name])


@pytest.mark.slow
def test_an_ensemble_in_half_precision(tmp_path: Path) -> None:
    package, known = half.add(FLYWING, tmp_path / "project_flywing")
    assert list(known) == ["model.fp16.onnx", "model.mean.fp16.onnx"]
    assert package.network(["mean"], "fp16").name == "model.mean.fp16.onnx"
    assert package.network(["mean", "std"], "fp16").name == "model.fp16.onnx"


# where there is a GPU


@pytest.mark.gpu
@pytest.mark.skipif(gpu.count() == 0, reason="this machine shows no GPU")
def test_half_precision_on_a_real_gpu(made: Any) -> None:
    package, _ = made
    pixels = np.random.default_rng(0).poisson(200, (40, 300, 310)).astype(np.uint16)
    found = {}
    for kind in ("fp32", "fp16"):
        engine = Engine(package.network(["mean"], kind), "cuda")
        restorer = Restorer(package.spec, engine)
        found[kind] = restorer(pixels, "ZYX", dtype="float32").image
    width = float(np.ptp(found["fp32"]))
    assert 0 < np.abs(found["fp16"] - found["fp32"]).max() <= half.CLOSE * width
