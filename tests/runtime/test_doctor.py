"""Doctor: each fault is found when it is there, with the words that mend it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from care_runtime import cache, doctor, engine, memory, vino, wheels
from care_runtime import gpu as gpu_
from care_runtime.cli import main
from care_runtime.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

Names = dict[str, str]
SOUND: Names = {"care-zoo": "0.1.0", "onnxruntime-gpu": "1.31.1"}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Names:
    """Fake a sound machine without a GPU; tests change what is installed."""
    found = dict(SOUND)
    monkeypatch.setattr(wheels, "installed", lambda: found)
    monkeypatch.setattr(wheels, "cuda_wanted", lambda: 13)
    monkeypatch.setattr(gpu_, "count", lambda: 0)
    monkeypatch.setattr(doctor, "_card", lambda: False)
    monkeypatch.setattr(doctor, "_loads", lambda library: False)
    monkeypatch.setattr(vino, "installed", lambda: False)
    monkeypatch.setattr(memory, "free", lambda: 8 << 30)
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "cache" / "care-zoo")
    return found


@pytest.fixture
def gpu(names: Names, monkeypatch: pytest.MonkeyPatch) -> Names:
    """Fake a GPU on which all is well."""
    names |= {"nvidia-cudnn-cu13": "9.1", "nvidia-cuda-runtime": "13.0.1"}
    monkeypatch.setattr(gpu_, "count", lambda: 1)
    monkeypatch.setattr(gpu_, "driver_cuda", lambda: (13, 0))
    make = engine.Engine

    def run(network: bytes, device: str, **options: Any) -> engine.Engine:
        made = make(network, "cpu", **options)
        made.device = "cuda:0" if device == "cuda" else "cpu"
        return made

    monkeypatch.setattr(engine, "Engine", run)
    return names


def look(subject: str) -> doctor.Finding:
    (found,) = [f for f in doctor.examine() if f.subject == subject]
    return found


def faults() -> list[str]:
    return [found.subject for found in doctor.examine() if found.status == "fault"]


def run(*words: str) -> Any:
    return CliRunner().invoke(main, ["doctor", *words])


# all is well


def test_a_sound_machine(names: Names) -> None:
    assert faults() == []
    assert look("CPU").found.startswith("onnxruntime 1.")
    assert "runs on cpu" in look("CPU").found
    result = run()
    assert result.exit_code == 0
    assert "fault" not in result.stdout
    told = json.loads(run("--json").stdout)
    assert told["healthy"] is True
    assert {"subject", "status", "found", "mend"} == set(told["findings"][0])


def test_a_sound_gpu(gpu: Names) -> None:
    assert faults() == []
    assert "runs on cuda:0" in look("GPU").found
    assert "CUDA 13.0" in look("driver").found
    assert look("OpenVINO").status == "ok"


def test_this_machine_can_be_examined() -> None:
    """Whatever it finds here, it does not fall over, and its exit code agrees."""
    result = run("--json")
    told = json.loads(result.stdout)
    assert result.exit_code == (0 if told["healthy"] else 1)
    assert result.stderr == ""


# ONNX Runtime


def test_both_wheels(names: Names) -> None:
    names["onnxruntime"] = "1.22.0"
    found = look("ONNX Runtime")
    assert found.status == "fault"
    for word in ("onnxruntime 1.22.0", "onnxruntime-gpu 1.31.1"):
        assert word in found.found
    assert "pip uninstall -y onnxruntime onnxruntime-gpu;" in found.mend
    result = run()
    assert result.exit_code == 1
    assert "pip uninstall" in result.stdout
    assert json.loads(run("--json").stdout)["healthy"] is False


def test_no_wheel(names: Names) -> None:
    del names["onnxruntime-gpu"]
    found = look("ONNX Runtime")
    assert (found.status, found.found) == ("fault", "not installed")
    assert found.mend.startswith("pip install onnxruntime")


@pytest.mark.parametrize(
    "error", [ImportError("no\nDLL"), EngineError("expected this, found that")]
)
def test_a_library_that_does_not_run(
    names: Names, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(engine, "Engine", fail)
    found = look("CPU")
    assert found.status == "fault"
    assert found.found == " ".join(str(error).split())


def test_a_library_that_computes_nonsense(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.Engine, "__call__", lambda self, x: [x])
    found = look("CPU")
    assert found.status == "fault"
    assert "3 x 3 = [3.]" in found.found


# GPU


def test_a_card_without_a_driver(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_card", lambda: True)
    found = look("GPU")
    assert found.status == "advice"
    assert "driver" in found.mend
    assert run().exit_code == 0


def test_a_gpu_and_the_wheel_for_cpus(gpu: Names) -> None:
    gpu["onnxruntime"] = gpu.pop("onnxruntime-gpu")
    found = look("GPU")
    assert found.status == "fault"
    assert "care-zoo[cuda]" in found.mend


def test_an_old_driver(gpu: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_, "driver_cuda", lambda: (12, 4))
    found = look("driver")
    assert found.status == "fault"
    assert "12.4" in found.found
    assert "CUDA 13: update" in found.mend


@pytest.mark.parametrize(
    ("wheel", "subject"),
    [("nvidia-cudnn-cu13", "cuDNN"), ("nvidia-cuda-runtime", "CUDA")],
)
def test_libraries_that_are_missing(gpu: Names, wheel: str, subject: str) -> None:
    del gpu[wheel]
    assert faults() == [subject]
    found = look(subject)
    assert found.found == "missing"
    assert "CUDA 13" in found.mend
    assert "care-zoo[cuda]" in found.mend


def test_libraries_of_another_version(gpu: Names) -> None:
    del gpu["nvidia-cudnn-cu13"], gpu["nvidia-cuda-runtime"]
    gpu |= {"nvidia-cudnn-cu12": "9.1", "nvidia-cuda-runtime-cu12": "12.8"}
    assert faults() == ["CUDA", "cuDNN"]
    assert look("cuDNN").found == "wheels for CUDA 12 alone"


def test_libraries_of_the_system(gpu: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    del gpu["nvidia-cudnn-cu13"], gpu["nvidia-cuda-runtime"]
    monkeypatch.setattr(doctor, "_loads", lambda library: True)
    assert faults() == []
    assert "the system's" in look("cuDNN").found


def test_a_gpu_that_is_not_obtained(
    gpu: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = engine.Engine

    def fail(network: bytes, device: str, **options: Any) -> Any:
        if device == "cuda":
            raise EngineError("device 'cuda' was asked for, but")  # noqa: EM101
        return run(network, device, **options)

    monkeypatch.setattr(engine, "Engine", fail)
    assert faults() == ["GPU"]


def test_what_the_wheel_says_of_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["numpy", 'nvidia-cudnn-cu12~=9.0; extra == "cudnn"']
    monkeypatch.setattr(wheels, "requires", lambda name: needed)
    assert wheels.cuda_wanted() == 12
    monkeypatch.setattr(wheels, "requires", lambda name: None)
    assert wheels.cuda_wanted() is None


# the rest


def test_openvino_is_recommended_without_a_gpu(names: Names) -> None:
    found = look("OpenVINO")
    assert found.status == "advice"
    assert "care-zoo[openvino]" in found.mend


def test_openvino_that_does_not_load(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise EngineError("the engine 'openvino' cannot be had")  # noqa: EM101

    monkeypatch.setattr(vino, "installed", lambda: True)
    monkeypatch.setattr(doctor, "VinoEngine", fail)
    assert faults() == ["OpenVINO"]


def test_little_memory(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free", lambda: 1 << 30)
    found = look("memory")
    assert (found.status, found.found) == ("advice", "1.0 GiB free")
    assert "--tile" in found.mend


def test_a_cache_that_cannot_be_written(
    names: Names, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "file" / "care-zoo")
    assert faults() == ["cache folder"]
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", fail)
    found = look("cache folder")  # as a user whom the folder refuses
    assert "Permission denied" in found.found
    assert "CARE_HOME" in found.mend
    assert look("this folder").status == "advice"


def test_the_cache_is_not_made(names: Names, tmp_path: Path) -> None:
    assert look("cache folder").status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_optional_readers(names: Names) -> None:
    names["zarr"] = "3.1"
    found = look("optional readers").found
    assert "installed: zarr 3.1;" in found
    assert "not installed: fsspec" in found
