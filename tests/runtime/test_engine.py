"""Engine: the device that was asked for, or one line that says why not."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import tiny
from tiny import one_line

from care_runtime import gpu
from care_runtime.engine import Engine
from care_runtime.errors import EngineError, OptionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    onnx.save(tiny.NETWORKS["laplace"](), tmp_path / "laplace.onnx")
    return tmp_path / "laplace.onnx"


def test_runs_and_names_its_tensors(file: Path) -> None:
    engine = Engine(file, "cpu", threads=1)
    assert engine.device == "cpu"
    assert (engine.inputs, engine.outputs) == (("input",), ("mean", "scale"))
    x = np.float32([[[[-1, 2]]]])
    mean, scale = engine(x)
    np.testing.assert_array_equal(mean, x)
    np.testing.assert_array_equal(scale, np.abs(x))
    np.testing.assert_array_equal(engine(x[:, :, ::-1, ::-1])[1], [[[[2, 1]]]])


def test_threads_do_not_change_the_answer(
    engine: Callable[[str], Engine], tmp_path: Path
) -> None:
    onnx.save(tiny.NETWORKS["unet2d"](), tmp_path / "unet.onnx")
    x = np.random.default_rng(0).random((1, 1, 96, 64), np.float32)
    two = Engine(tmp_path / "unet.onnx", "cpu", threads=2)
    np.testing.assert_array_equal(two(x)[0], engine("unet2d")(x)[0])


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:3"])
def test_no_gpu_is_an_error(
    file: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    device: str,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(EngineError, match=f"'{device}'.*NVIDIA.*'cpu'") as error:
        Engine(file, device)
    one_line(error.value)
    assert capfd.readouterr() == ("", "")


def test_auto_without_a_gpu_is_the_cpu(
    file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert Engine(file, "auto").device == "cpu"
    assert capfd.readouterr() == ("", "")


def test_fewer_gpus_than_asked_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "count", lambda: 1)
    with pytest.raises(EngineError, match=r"'cuda:1'.*only 1") as error:
        Engine(file, "cuda:1")
    one_line(error.value)


@pytest.mark.parametrize("device", ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:²"])
def test_devices_that_are_none(file: Path, device: str) -> None:
    with pytest.raises(OptionError, match="expected a device") as error:
        Engine(file, device)
    assert repr(device) in one_line(error.value)


@pytest.mark.parametrize("content", [b"", b"no network", None])
def test_files_that_are_no_network(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(EngineError, match=r"broken\.onnx") as error:
        Engine(tmp_path / "broken.onnx", "cpu")
    one_line(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_truncated_network(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(EngineError, match=r"laplace\.onnx") as error:
        Engine(file, "cpu")
    one_line(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shape", [(4, 4), (1, 2, 4, 4), (1, 1, 3, 5)])
def test_shapes_that_do_not_fit(
    engine: Callable[[str], Engine],
    capfd: pytest.CaptureFixture[str],
    shape: tuple[int, ...],
) -> None:
    with pytest.raises(EngineError) as error:
        engine("unet2d")(np.zeros(shape, np.float32))
    assert str(shape) in one_line(error.value)
    assert capfd.readouterr() == ("", "")


def test_it_reports_to_nobody(tmp_path: Path) -> None:
    """ONNX Runtime tells Microsoft of its sessions, by what it keeps at home."""
    code = (
        "import numpy, os, care_runtime; "
        "run = care_runtime.load('denoise_widefield', device='cpu', "
        "engine='onnxruntime'); run(numpy.random.rand(32, 32), 'YX'); "
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    kept = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**kept, **home}
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert not [p for p in tmp_path.rglob("*") if "onnxruntime" in p.name]
