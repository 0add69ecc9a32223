"""Wire: a network's file is understood, and refused before ONNX Runtime sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import tiny
from onnx import TensorProto, helper, numpy_helper
from tiny import one_line

import care_zoo
from care_runtime import engine as engine_
from care_runtime import wire
from care_runtime.engine import Engine
from care_runtime.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def refused(path: Path, match: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that no session is made."""
    import onnxruntime

    def never(*args: Any, **more: Any) -> None:
        pytest.fail("ONNX Runtime has seen it")

    monkeypatch.setattr(onnxruntime, "InferenceSession", never)
    with pytest.raises(EngineError, match=match) as error:
        Engine(path, "cpu")
    assert str(path) in one_line(error.value)


@pytest.mark.parametrize("name", tiny.NETWORKS)
def test_what_is_found_is_there(name: str, tmp_path: Path) -> None:
    model = tiny.NETWORKS[name]()
    found = wire.check(saved(model, tmp_path))
    assert (found.ir, found.opsets) == (8, {"": 17})
    assert sum(found.operators.values()) == len(model.graph.node)
    assert {kind for _, kind in found.operators} == {
        n.op_type for n in model.graph.node
    }
    size = sum(w.ByteSize() for w in model.graph.initializer)
    assert found.weights == size


def test_the_zoo_passes() -> None:
    for path in care_zoo.MODELS.glob("*/*.onnx"):
        assert wire.check(path).weights > 1000


def place(model: onnx.ModelProto, tensor: onnx.TensorProto, where: str) -> None:
    """Hide a tensor somewhere in a network."""
    graph = model.graph
    if where == "initializer":
        graph.initializer.append(tensor)
        return
    node = helper.make_node("Constant", [], ["hidden"], value=tensor)
    if where == "constant":
        graph.node.append(node)
        return
    if where == "function":
        ids = [helper.make_opsetid("", 17)]
        made = helper.make_function("own", "F", [], ["hidden"], [node], ids)
        model.functions.append(made)
        return
    inner = helper.make_graph([node], "inner", [], [])
    for _ in range(3 if where == "deep" else 0):
        loop = helper.make_node("If", ["c"], ["y"], then_branch=inner)
        inner = helper.make_graph([loop], "outer", [], [])
    graph.node.append(helper.make_node("If", ["c"], ["y"], else_branch=inner))


PLACES = ("initializer", "constant", "function", "branch", "deep")


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("by", ["location", "entries"])
def test_external_data(
    where: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensor = TensorProto(name="secret", dims=[4], data_type=TensorProto.FLOAT)
    if by == "location":
        tensor.data_location = TensorProto.EXTERNAL
    else:
        tensor.external_data.add(key="location", value="/etc/passwd")
    model = tiny.NETWORKS["laplace"]()
    place(model, tensor, where)
    refused(saved(model, tmp_path), "external data for secret", monkeypatch)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("shape", [[1 << 40], [1 << 20, 1 << 20], [-1], [1] * 20])
def test_shapes_that_lie(
    where: str, shape: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensor = TensorProto(name="huge", dims=shape, data_type=TensorProto.FLOAT)
    tensor.raw_data = bytes(64)
    model = tiny.NETWORKS["laplace"]()
    place(model, tensor, where)
    refused(saved(model, tmp_path), "'huge'", monkeypatch)


@pytest.mark.parametrize("domain", ["com.microsoft", "evil", "ai.onnx.ml"])
def test_foreign_operators(
    domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.NETWORKS["laplace"]()
    model.graph.node[0].domain = domain
    refused(saved(model, tmp_path), f"{domain}.Identity", monkeypatch)


def test_functions_of_its_own(tmp_path: Path) -> None:
    model = tiny.NETWORKS["laplace"]()
    ids = [helper.make_opsetid("", 17)]
    node = helper.make_node("Identity", ["a"], ["b"])
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], [node], ids))
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.graph.node[0].domain, model.graph.node[0].op_type = "own", "F"
    x = np.float32([[[[-1, 2]]]])
    np.testing.assert_array_equal(Engine(saved(model, tmp_path), "cpu")(x)[0], x)


def field(number: int, content: bytes, *, cut: int = 0) -> bytes:
    """Write a field; `cut` is what protobuf cuts off its key."""

    def varint(value: int) -> bytes:
        more, low = value >> 7, value & 0x7F
        return bytes([low | 0x80]) + varint(more) if more else bytes([low])

    return varint(number << 3 | 2 | cut) + varint(len(content)) + content


@pytest.mark.parametrize("hidden", ["entries", "tensor"])
def test_fields_that_others_read_otherwise(
    hidden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of more than 32 bits: protobuf reads field 13, and runs what it names."""
    place = field(1, b"location") + field(2, b"/etc/passwd")
    cut = 1 << 32
    tensor = field(8, b"secret") + field(13, place, cut=cut * (hidden == "entries"))
    graph = field(5, tensor, cut=cut * (hidden == "tensor"))
    content = tiny.NETWORKS["laplace"]().SerializeToString() + field(7, graph)
    (tmp_path / "model.onnx").write_bytes(content)
    refused(tmp_path / "model.onnx", "a field of the number", monkeypatch)


@pytest.mark.parametrize("name", ["F", "Gelu"])
def test_functions_open_no_domain(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function of a file does not bring the operators of its domain along."""
    model = tiny.NETWORKS["laplace"]()
    ids = [helper.make_opsetid("", 17)]
    node = helper.make_node("Identity", ["a"], ["b"])
    made = helper.make_function("com.microsoft", name, ["a"], ["b"], [node], ids)
    model.functions.append(made)
    model.graph.node[0].domain = "com.microsoft"
    model.graph.node[0].op_type = "Gelu"
    refused(saved(model, tmp_path), r"com\.microsoft\.", monkeypatch)
    model.functions[0].domain = model.graph.node[0].domain = "own"
    model.functions[0].name = "G"
    refused(saved(model, tmp_path), r"own\.Gelu", monkeypatch)


def test_only_onnx_is_read(tmp_path: Path) -> None:
    """A name that ends in .ort makes ONNX Runtime read a format of its own."""
    path = tmp_path / "model.ort"
    path.write_bytes(tiny.NETWORKS["laplace"]().SerializeToString())
    x = np.float32([[[[-1, 2]]]])
    np.testing.assert_array_equal(Engine(path, "cpu")(x)[0], x)


def test_sparse_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.NETWORKS["laplace"]()
    values = numpy_helper.from_array(np.float32([1]), "w")
    indices = numpy_helper.from_array(np.int64([0]))
    sparse = helper.make_sparse_tensor(values, indices, [1 << 40])
    model.graph.sparse_initializer.append(sparse)
    refused(saved(model, tmp_path), "sparse", monkeypatch)


def test_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = helper.make_graph([], "inner", [], [])
    for _ in range(20):
        loop = helper.make_node("If", ["c"], ["y"], then_branch=inner)
        inner = helper.make_graph([loop], "outer", [], [])
    model = tiny.NETWORKS["laplace"]()
    model.graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=inner))
    refused(saved(model, tmp_path), "levels", monkeypatch)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"\x00\x00",
        b"\x08",
        b"\x08" + b"\xff" * 20,
        b"\x3a\xff\xff\xff\xff\x7f",
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x3b\x00",
        b"\x38\x01",
        b"\x3a\x02\x0a\x10",
        b"\x08\x08",
    ],
)
def test_bytes_that_are_no_network(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    refused(tmp_path / "model.onnx", "expected a network", monkeypatch)


def test_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(tmp_path / "none.onnx", "expected a network", monkeypatch)
    refused(tmp_path, "expected a network", monkeypatch)


def test_the_engine_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(engine_.wire, "check", asked.append)
    path = saved(tiny.NETWORKS["laplace"](), tmp_path)
    Engine(path, "cpu")
    assert asked == [path]
