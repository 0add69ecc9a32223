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
from care_runtime import arrays, cache, trial
from care_runtime import package as package_
from care_runtime.errors import EngineError, FileError
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
    source = "import care_runtime.trial as t; t.MEMORY = 3 << 30; t._main(*{words})"
    found = make(greedy(4 << 30))
    ran = []

    def run(command: Any, **more: Any) -> Any:
        ran.append(command)
        words = tuple(command[-2:])
        return true_run([sys.executable, "-c", source.format(words=words)], **more)

    true_run = trial.subprocess.run
    monkeypatch.setattr(trial.subprocess, "run", run)
    with pytest.raises(EngineError, match="process of its own"):
        trial.require(found, found.onnx)
    assert len(ran) == 1
    trial.require((small := make(greedy(1 << 20))), small.onnx)


def test_a_good_one_is_run_once(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = package_.read(package, package)
    care_runtime.load(found, device="cpu")
    assert [k.kind for k in cache.kept()] == ["note of a first run"]
    monkeypatch.setattr(trial, "_run", lambda *args: pytest.fail("run again"))
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
