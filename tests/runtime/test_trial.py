"""Trial: a network from elsewhere may not take this process down with it."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import tiny
from onnx import helper, numpy_helper
from tiny import one_line

import care_runtime
from care_runtime import arrays, cache, memory, trial
from care_runtime import package as package_
from care_runtime.errors import EngineError, FileError, OutOfMemoryError, TileWarning
from care_runtime.tensor import File

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARE_HOME", str(tmp_path / "home"))


def greedy(size: int) -> onnx.ModelProto:
    """Add zeros of that many bytes to the input."""
    shape = numpy_helper.from_array(np.int64([size // 4]), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        helper.make_node("Add", ["input", "sum"], ["mean"]),
    ]
    axes = ["b", 1, *"yx"]
    return tiny.model(nodes, [shape], axes, {"mean": axes})


@pytest.fixture
def make(package: Path) -> Callable[..., Any]:
    def made(network: onnx.ModelProto) -> package_.Package:
        onnx.save(network, package / "model.onnx")
        found = package_.read(package, package)
        assert found.spec.weights
        weights = replace(found.spec.weights, onnx=tiny.hashed(package / "model.onnx"))
        spec = replace(found.spec, weights=weights)
        tiny.write_description(package, spec.to_dict())
        return package_.read(package, package)

    return made


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory on Linux alone")
def test_a_terabyte(make: Any) -> None:
    found = make(greedy(1 << 40))
    with pytest.raises(EngineError, match="process of its own") as error:
        care_runtime.load(found, device="cpu")
    one_line(error.value)
    assert not list((cache.folder() / "trials").glob("*"))
    with pytest.raises(EngineError, match="process of its own"):  # and again
        care_runtime.load(found, device="cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory on Linux alone")
def test_the_limit(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MEMORY", 3 << 30)
    found = make(greedy(4 << 30))
    with pytest.raises(EngineError, match="process of its own") as error:
        trial.require(found, found.onnx)
    assert "3 GiB" in one_line(error.value)
    trial.require((small := make(greedy(1 << 20))), small.onnx)


def growing() -> onnx.ModelProto:
    """Add the least product of any two pixels, of which it makes a list."""
    weights = [
        numpy_helper.from_array(np.int64([1, -1]), "row"),
        numpy_helper.from_array(np.int64([-1, 1]), "column"),
    ]
    nodes = [
        helper.make_node("Reshape", ["input", "row"], ["rows"]),
        helper.make_node("Reshape", ["input", "column"], ["columns"]),
        helper.make_node("Mul", ["rows", "columns"], ["products"]),
        helper.make_node("ReduceMin", ["products"], ["least"], keepdims=0),
        helper.make_node("Add", ["input", "least"], ["mean"]),
    ]
    axes = ["b", 1, *"yx"]
    return tiny.model(nodes, weights, axes, {"mean": axes})


def foreign(found: package_.Package, halo: int = 1) -> package_.Package:
    """Take away what packages of `care-train` alone have; no halo: read as a whole."""
    (output,) = found.spec.outputs
    axes = tuple(
        replace(axis, halo=halo) if axis.kind == "space" else axis
        for axis in output.axes
    )
    spec = replace(
        found.spec,
        inputs=(replace(found.spec.input, operations=()),),
        outputs=(replace(output, axes=axes, operations=()),),
        care=None,
    )
    return replace(found, spec=spec)


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """List the inputs of all trials, while 1 GiB of memory is free."""
    ran = []

    def run(network: Path, inputs: Any, memory: int) -> str:
        ran.append(inputs)
        return true_run(network, inputs, memory)

    true_run = trial.run
    monkeypatch.setattr(trial, "run", run)
    monkeypatch.setattr(memory, "free", lambda: 1 << 30)
    return ran


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory on Linux alone")
def test_memory_that_grows_with_the_tile(make: Any, tiles: list[Any]) -> None:
    """It takes 67 MB for 64 x 64 pixels, and 1.1 GB for 128 x 128."""
    found = foreign(make(growing()))
    restorer = care_runtime.load(found, device="cpu", threads=1)
    image = np.random.default_rng(0).random((128, 128), np.float32)
    with pytest.warns(TileWarning, match=r"\(1, 1, 128, 128\) in a process of its own"):
        restored = restorer(image, "YX", normalize="none")
    tile = restored.provenance["tile"]
    assert tile != "Y 128 x X 128"
    assert tiles[1:] == [["1,1,128,128"], [f"1,1,{tile[2:].replace(' x X ', ',')}"]]
    restorer(image[:60, :60], "YX", normalize="none")  # is less than that was
    for fresh in (restorer, care_runtime.load(found, device="cpu", threads=1)):
        with pytest.warns(TileWarning):  # the tile that failed is not tried twice
            fresh(image, "YX", normalize="none")
    assert [len(tiles), tiles[3:]] == [4, [["1,1,128,128"]]]


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory on Linux alone")
def test_memory_that_grows_with_the_image(
    make: Any, tiles: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is read as a whole, there are no smaller tiles."""
    restorer = care_runtime.load(foreign(make(growing()), halo=0), device="cpu")
    image = np.random.default_rng(0).random((128, 128), np.float32)
    with pytest.raises(OutOfMemoryError, match=r"within 1 GiB.*smallest") as error:
        restorer(image, "YX", normalize="none")
    one_line(error.value)
    restorer(image[:64, :64], "YX", normalize="none")
    monkeypatch.setattr(memory, "free", lambda: 3 << 30)  # what took it has ended
    restorer(image, "YX", normalize="none")


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory on Linux alone")
def test_tiles_of_dask_are_tried(make: Any, tiles: list[Any]) -> None:
    array = pytest.importorskip("dask.array")
    from care_runtime import dask

    found = foreign(make(growing()))
    image = array.random.random((128, 128), chunks=64).astype(np.float32)
    with pytest.raises(OutOfMemoryError, match=r"within 1 GiB") as error:
        dask.restore(image, found, "YX", device="cpu", normalize="none")
    one_line(error.value)
    dask.restore(image, found, "YX", device="cpu", normalize="none", tile=32)


def test_a_failure_of_another_kind(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No smaller tile is tried where memory is not what is short."""
    restorer = care_runtime.load(foreign(make(growing())), device="cpu")
    monkeypatch.setattr(trial.sys, "executable", "/nowhere")
    with pytest.raises(EngineError, match="cannot be started") as error:
        restorer(np.ones((90, 90), np.float32), "YX", normalize="none")
    one_line(error.value)
    assert not isinstance(error.value, OutOfMemoryError)


def test_a_good_one_is_run_once(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = package_.read(package, package)
    care_runtime.load(found, device="cpu")
    assert [k.kind for k in cache.kept()] == ["note of a first run"]
    monkeypatch.setattr(trial, "run", lambda *args: pytest.fail("run again"))
    care_runtime.load(found, device="cpu")
    shutil.rmtree(cache.folder())
    care_runtime.load(package_.read_folder(package), device="cpu")  # made here


def test_without_a_test_input(package: Path) -> None:
    found = package_.read(package, package)
    bare = replace(found.spec, inputs=(replace(found.spec.input, test=None),))
    bare_ = replace(found, spec=bare)
    assert trial._inputs(bare_) == ["1,1,64,64"]
    trial.require(bare_, found.onnx)


def test_time(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.01)
    found = package_.read(package, package)
    with pytest.raises(EngineError, match=r"0\.01 s") as error:
        trial.require(found, found.onnx)
    one_line(error.value)


def test_a_program_without_python(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial.sys, "executable", "")
    found = package_.read(package, package)
    with pytest.raises(EngineError, match="frozen") as error:
        trial.require(found, found.onnx)
    one_line(error.value)


# files beside the network


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/hostname",
        "http://127.0.0.1:9/model.onnx",
        "https://127.0.0.1/model.onnx",
        "https://10.0.0.1/model.onnx",
        "a\x00b",
        "a" * 5000,
        "../" * 50 + "etc/hostname",
        "",
        ".",
    ],
)
def test_sources_that_are_refused(package: Path, source: str) -> None:
    found = package_.read(package, package)
    with pytest.raises(FileError, match="expected") as error:
        found.path(File(source, 64 * "0"))
    one_line(error.value)


def test_an_address_needs_a_hash(package: Path) -> None:
    found = package_.read(package, package)
    with pytest.raises(FileError, match="sha256"):
        found.path(File("https://93.184.216.34/model.onnx"))


def lying(shape: str) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
    header += b" " * (118 - len(header) - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        lying("(1000000000000,)"),
        lying("(-4,)"),
        lying("(99999999999999999999,)"),
        lying("(4, 'a')"),
        lying("__import__('os')"),
        b"PK\x03\x04",
    ],
)
def test_arrays_that_lie(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(FileError, match="expected an array") as error:
        arrays.read(tmp_path / "a.npy")
    one_line(error.value)


def test_arrays_that_are_no_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    np.savez(tmp_path / "b.npy.npz", np.ones(2))
    np.save(tmp_path / "c.npy", np.array(["a"]))
    for name in ("a.npy", "b.npy.npz", "c.npy"):
        with pytest.raises(FileError, match="expected an array"):
            arrays.read(tmp_path / name)
    np.save(tmp_path / "d.npy", np.float32(3))
    assert arrays.read(tmp_path / "d.npy") == 3
