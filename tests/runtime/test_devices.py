"""Devices: what is said, and what goes on, where a GPU cannot be had or is lost."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tifffile
import tiny
from click.testing import CliRunner
from fakegpu import LOST, SHORT, Fake
from onnx import helper, numpy_helper
from tiny import noise, one_line

import care_runtime
from care_runtime import engine as engine_
from care_runtime import engines, failure, footprint, gpu, recipe, trial, vino
from care_runtime import package as package_
from care_runtime.cli import main
from care_runtime.contract import supported
from care_runtime.engine import WORKERS, Engine
from care_runtime.errors import (
    DeviceLostError,
    DeviceWarning,
    EngineError,
    OptionError,
    OutOfMemoryError,
)
from care_runtime.trust import Trust
from care_runtime.variant import Variant
from care_runtime.verified import HALF_TOLERANCE, Verified

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DRIVER = (
    "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; "
    "GPU=0 ; hostname=h ; expr=cudaSetDevice(info_.device_id)\nmore lines\n"
)
"""What ONNX Runtime says where a driver is too old."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARE_HOME", str(tmp_path / "home"))


@pytest.fixture
def halve(package: Path) -> Callable[[onnx.ModelProto], Path]:
    """Make a package with a second network, which stands for one in half precision."""

    def made(model: onnx.ModelProto) -> Path:
        onnx.save(model, str(package / "model.fp16.onnx"))
        found = package_.read_folder(package)
        digest = tiny.hashed(package / "model.fp16.onnx").sha256
        assert found.spec.care is not None
        variants = {"model.fp16.onnx": Variant(("mean",), digest, "fp16")}
        care = replace(found.spec.care, variants=variants)
        tiny.write_description(package, replace(found.spec, care=care).to_dict())
        return package

    return made


def off(by: float) -> onnx.ModelProto:
    """Make the network of the package, which answers a little more."""
    made = tiny.NETWORKS["unet2d"]()
    bias = next(w for w in made.graph.initializer if w.name == "mean.b")
    value = numpy_helper.to_array(bias) + np.float32(by)
    bias.CopyFrom(numpy_helper.from_array(value, "mean.b"))
    made.doc_string = "another file"
    return made


# a session that is refused


class Sessions:
    """Stands for ONNX Runtime's, which refuses to have one on a GPU."""

    def __init__(self, patch: pytest.MonkeyPatch, said: str) -> None:
        self.said, self.asked = said, list[tuple[list[Any], Any]]()
        self.options: list[Any] = []
        self._make = onnxruntime.InferenceSession
        patch.setattr(onnxruntime, "InferenceSession", self)
        patch.setattr(onnxruntime, "preload_dlls", lambda: None)
        patch.setattr(gpu, "count", lambda: 1)
        patch.setattr(gpu, "memory", lambda number: None)
        patch.setattr(vino, "installed", lambda: False)

    def __call__(self, source: Any, options: Any, **more: Any) -> Any:
        self.options.append(options)
        self.asked.append((more["providers"], more.get("enable_fallback")))
        if more["providers"] != ["CPUExecutionProvider"]:
            if more.get("enable_fallback", 1):  # as ONNX Runtime does
                sys.stdout.write("*** EP Error ***\n")
                return self._make(source, options, providers=["CPUExecutionProvider"])
            raise RuntimeError(self.said)
        return self._make(source, options, **more)


def test_sessions_do_not_fall_back_by_themselves(
    monkeypatch: pytest.MonkeyPatch, network: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sessions = Sessions(monkeypatch, DRIVER)
    with pytest.warns(DeviceWarning, match=r"CUDA failure 35.*on the CPU") as caught:
        found = Engine(network, "auto", threads=1)
    assert len(caught) == 1
    assert len(str(caught[0].message).splitlines()) == 1
    assert found.device == "cpu"
    assert capfd.readouterr() == ("", "")
    (first, second), fallbacks = zip(*sessions.asked, strict=True)
    assert fallbacks == (0, 0)
    name, settings = first[0]
    assert (name, settings["device_id"]) == ("CUDAExecutionProvider", 0)
    assert settings["arena_extend_strategy"] == "kSameAsRequested"
    assert first[1:] == second == ["CPUExecutionProvider"]
    assert not any(options.enable_mem_pattern for options in sessions.options)


@pytest.mark.parametrize(
    ("said", "kind", "mend"),
    [
        (DRIVER, EngineError, "care-run doctor"),
        (SHORT, OutOfMemoryError, "end what else takes its memory"),
        ("CUDA failure 2: out of memory ; GPU=0", OutOfMemoryError, "nvidia-smi"),
        (LOST, DeviceLostError, "nvidia-smi"),
        ("CUDA failure 100: no CUDA-capable device", DeviceLostError, "nvidia-smi"),
        ("", EngineError, "care-run doctor"),
    ],
)
def test_a_gpu_that_was_asked_for_is_no_cpu(
    monkeypatch: pytest.MonkeyPatch,
    network: Path,
    capfd: pytest.CaptureFixture[str],
    said: str,
    kind: type[EngineError],
    mend: str,
) -> None:
    Sessions(monkeypatch, said)
    with pytest.raises(EngineError, match="on the GPU cuda:0") as error:
        Engine(network, "cuda", threads=1)
    assert type(error.value) is kind
    text = one_line(error.value)
    assert mend in text
    assert (said.splitlines() or [""])[0] in text
    assert str(error.value.__cause__) == said
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_network_that_is_none_is_no_fault_of_the_gpu(
    monkeypatch: pytest.MonkeyPatch, network: Path, device: str
) -> None:
    Sessions(monkeypatch, DRIVER)
    made = tiny.NETWORKS["unet2d"]()
    made.graph.node[0].op_type = "NoSuchThing"
    onnx.save(made, network)
    with pytest.raises(EngineError, match="expected a network that ONNX") as error:
        Engine(network, device, threads=1)
    assert "CUDA" not in one_line(error.value)


def test_auto_is_told_once_and_in_fp32(
    monkeypatch: pytest.MonkeyPatch, halve: Any
) -> None:
    sessions = Sessions(monkeypatch, DRIVER)
    found = package_.read_folder(halve(off(0)))
    with pytest.warns(DeviceWarning) as caught:
        facts = care_runtime.load(found).provenance
    assert len(caught) == 1
    assert (facts["device"], facts["precision"]) == ("cpu", "fp32")
    assert len([p for p, _ in sessions.asked if len(p) > 1]) == 1


def test_only_the_image_on_standard_output(
    monkeypatch: pytest.MonkeyPatch, package: Path, tmp_path: Path
) -> None:
    Sessions(monkeypatch, DRIVER)
    tifffile.imwrite(tmp_path / "a.tif", noise("YX", Y=60, X=70), imagej=True)
    line = ["restore", str(tmp_path / "a.tif"), "-m", str(package), "-o", "-"]
    done = CliRunner().invoke(main, [*line, "--dtype", "float32"])
    assert done.exit_code == 0, done.stderr
    assert done.stdout_bytes.startswith(b"\x93NUMPY")
    assert done.stderr.startswith("warning: expected to load the network on the GPU")
    assert len(done.stderr.splitlines()) == 2
    done = CliRunner().invoke(main, [*line, "--device", "cuda"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "CUDA failure 35" in done.stderr


def test_one_session_on_several_gpus(gpus: Fake, network: Path) -> None:
    with pytest.raises(OptionError, match=r"name one GPU, or use care_runtime\.load"):
        Engine(network, "cuda:0,1")


@pytest.mark.parametrize(
    ("device", "engine", "found"),
    [
        ("auto", "auto", (0,)),
        ("auto", "openvino", ()),
        ("cpu", "auto", ()),
        ("cuda:1,0", "onnxruntime", (1, 0)),
    ],
)
def test_gpus_of_a_device_and_an_engine(
    gpus: Fake, device: str, engine: str, found: tuple[int, ...]
) -> None:
    assert engines.gpus(device, engine) == found


def test_gpus_of_an_engine_without(gpus: Fake, package: Path) -> None:
    with pytest.raises(OptionError, match="'openvino'"):
        engines.gpus("cuda", "openvino")
    found = package_.read_folder(package)
    with pytest.raises(OptionError, match="expected an engine"):
        care_runtime.load(found, device="cuda", engine="tensorrt")


# what failures mean


@pytest.mark.parametrize("number", [1, 35, 215, 219, 221])
def test_errors_after_which_a_gpu_is_still_there(number: int) -> None:
    error = RuntimeError(f"CUDA failure {number}: something ; GPU=0")
    found = failure.explained(error, (1, 1, 8, 8), "cuda:0")
    assert type(found) is EngineError
    assert "lost" not in one_line(found)


@pytest.mark.parametrize("library", ["CUDNN", "CUBLAS"])
def test_a_failure_without_a_number_is_not_a_loss(library: str) -> None:
    said = f"{library} failure 5000: {library}_STATUS_EXECUTION_FAILED ; GPU=0"
    found = failure.explained(RuntimeError(said), (1, 1, 8, 8), "cuda:1")
    assert type(found) is EngineError
    text = one_line(found)
    assert "cuda:1 failed" in text
    assert "if it fails again" in text
    assert "nvidia-smi" in text
    for more in (f"{said}\n{LOST}", f"{LOST}\n{said}"):
        found = failure.explained(RuntimeError(more), (1, 1, 8, 8), "cuda:1")
        assert type(found) is DeviceLostError


# several models on a GPU


@pytest.mark.parametrize("device", ["cuda", "cuda:0,1"])
def test_models_share_the_memory(gpus: Fake, network: Path, device: str) -> None:
    gpus.room(network, 1 << 20)
    assert engines.load(network, device).room == 1 << 20
    assert engines.load(network, device, sharing=2).room == 1 << 19
    assert engines.load(network, device, sharing=3).room == 1 << 18
    with pytest.raises(OptionError, match="found 0"):
        engines.load(network, device, sharing=0)


def test_models_of_a_command_share_the_memory(
    gpus: Fake, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def room(source: Any, device: int, calls: int = 1) -> int:
        asked.append(calls)
        return 1 << 16

    monkeypatch.setattr(footprint, "room", room)
    pixels = noise("CYX", C=2, Y=60, X=70)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True)
    line = ["restore", str(tmp_path / "a.tif"), "-o", str(tmp_path / "b.tif")]
    for models in ([f"0={package}", f"1={package}"], [str(package)]):
        words = [word for model in models for word in ("-m", model)]
        done = CliRunner().invoke(main, [*line, *words, "--device", "cuda"])
        assert done.exit_code == 0, done.stderr
        assert asked == [WORKERS * len(models)] * len(models)
        (tmp_path / "b.tif").unlink()
        asked.clear()


def test_models_of_a_script_share_the_memory(gpus: Fake, package: Path) -> None:
    found = package_.read_folder(package)
    gpus.room(package / "model.onnx", 1 << 20)
    two: Any = care_runtime.load(found, device="cuda", sharing=2).network
    assert two.room == 1 << 19


# a GPU that is lost


def lose_after(gpus: Fake, calls: int) -> None:
    def before(number: int, shape: tuple[int, ...]) -> None:
        if sum(gpus.calls.values()) > calls:
            raise RuntimeError(LOST)

    gpus.before = before


def test_no_file_is_begun_after_a_loss(
    gpus: Fake, package: Path, tmp_path: Path
) -> None:
    files = [tmp_path / f"{name}.tif" for name in "abcd"]
    for file in files:
        tifffile.imwrite(file, noise("YX", Y=60, X=70), imagej=True)
    lose_after(gpus, 1)
    line = ["restore", *map(str, files), "-m", str(package), "--device", "cuda"]
    line += ["-o", str(tmp_path / "out"), "--tile", "whole"]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 1
    assert gpus.calls[0] == 2
    assert "b.tif" in done.stderr
    assert f"skipped: {files[2]}: the GPU was lost before" in done.stderr
    assert f"skipped: {files[3]}: the GPU was lost before" in done.stderr
    assert "1 done, 1 failed, 2 skipped" in done.stdout
    gpus.calls.clear()
    done = CliRunner().invoke(main, [*line, "--json", "--overwrite"])
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert [r["status"] for r in said["results"]] == [
        *("done", "failed"),
        *("skipped", "skipped"),
    ]
    assert [r["lost"] for r in said["results"]] == [False, True, False, False]


def test_other_failures_end_nothing(gpus: Fake, package: Path, tmp_path: Path) -> None:
    for name in "ab":
        tifffile.imwrite(tmp_path / f"{name}.tif", noise("YX", Y=60, X=70), imagej=True)

    def before(number: int, shape: tuple[int, ...]) -> None:
        if sum(gpus.calls.values()) == 1:
            msg = "CUDA failure 1: invalid argument ; GPU=0"
            raise RuntimeError(msg)

    gpus.before = before
    line = ["restore", str(tmp_path / "a.tif"), str(tmp_path / "b.tif"), "-o"]
    line += [str(tmp_path / "out"), "-m", str(package), "--device", "cuda"]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 1
    assert "1 done, 1 failed, 0 skipped" in done.stdout


@pytest.mark.parametrize("settle", ["0", "0.2"])
def test_a_watch_ends_with_the_gpu(
    gpus: Fake, package: Path, tmp_path: Path, settle: str
) -> None:
    """It would go on for ever; nobody presses Ctrl-C here."""
    (tmp_path / "in").mkdir()
    for name in "abc":
        file = tmp_path / "in" / f"{name}.tif"
        tifffile.imwrite(file, noise("YX", Y=60, X=70), imagej=True)
    lose_after(gpus, 1)
    line = ["restore", str(tmp_path / "in"), "-m", str(package), "--device", "cuda"]
    line += ["-o", str(tmp_path / "out"), "--tile", "whole", "--watch"]
    line += ["--settle", settle, "--interval", "0.1"]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 1
    assert "1 done, 1 failed, 1 skipped" in done.stdout
    assert "c.tif  the GPU was lost before" in done.stdout
    assert sorted(p.name for p in (tmp_path / "out").glob("*.tif")) == ["a.tif"]


# verification of what a GPU runs


def test_half_precision_is_verified(gpus: Fake, halve: Any) -> None:
    folder = halve(off(0.0))

    def verify(*words: str) -> Any:
        line = ["verify", str(folder), "--device", "cuda", "--json", *words]
        return json.loads(CliRunner().invoke(main, line).stdout)

    assert [verify()[key] for key in ("precision", "passed")] == ["fp16", True]
    assert verify("--precision", "fp16")["precision"] == "fp16"
    plain = verify("--precision", "fp32")
    assert [plain[key] for key in ("precision", "passed", "device")] == [
        *("fp32", True, "cuda:0")
    ]
    done = CliRunner().invoke(main, ["verify", str(folder), "--device", "cuda"])
    assert "precision" in done.stdout
    assert "fp16" in done.stdout


def test_half_precision_that_does_otherwise_fails(gpus: Fake, halve: Any) -> None:
    folder = halve(off(5.0))
    line = ["verify", str(folder), "--device", "cuda"]
    assert CliRunner().invoke(main, line).exit_code == 1
    assert CliRunner().invoke(main, [*line, "--precision", "fp32"]).exit_code == 0


def test_it_is_verified_without_tf32(
    gpus: Fake, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, exactly = engine_._session, []

    def session(*words: Any, exact: bool) -> Any:
        exactly.append(exact)
        return make(*words, exact=exact)

    monkeypatch.setattr(engine_, "_session", session)
    line = ["verify", str(package), "--device", "cuda"]
    assert CliRunner().invoke(main, line).exit_code == 0
    care_runtime.load(package_.read_folder(package), device="cuda")
    assert exactly == [True, False]


def test_networks_of_some_outputs_are_verified(
    gpus: Fake, tmp_path: Path, engine: Callable[[str], Engine]
) -> None:
    """Such as that of the mean of an ensemble, which restore takes by default."""
    folder = tiny.write_package(tmp_path / "laplace", "laplace", engine("laplace"))
    found = package_.read_folder(folder)
    (name, *more) = [tensor.id for tensor in found.spec.outputs]
    assert more
    full = onnx.load(str(folder / "model.onnx"))
    kept = [output for output in full.graph.output if output.name == name]
    del full.graph.output[:]
    full.graph.output.extend(kept)
    care, variants = supported(found.spec), {}
    for file, precision in (("few.onnx", "fp32"), ("few.fp16.onnx", "fp16")):
        onnx.save(full, str(folder / file))
        digest = tiny.hashed(folder / file).sha256
        variants[file] = Variant((name,), digest, precision)
    spec = replace(found.spec, care=replace(care, variants=variants))
    tiny.write_description(folder, spec.to_dict())
    for words, network in (
        ([], "model.onnx"),
        (["--outputs", name], "few.fp16.onnx"),
        (["--outputs", name, "--precision", "fp32"], "few.onnx"),
        (["--outputs", more[0]], "model.onnx"),
    ):
        line = ["verify", str(folder), "--device", "cuda", "--json", *words]
        done = CliRunner().invoke(main, line)
        assert done.exit_code == 0, done.output
        said = json.loads(done.stdout)
        assert said["network"] == network
        assert [*said["test"]] == ([words[1]] if words else [name, *more])
    done = CliRunner().invoke(main, ["verify", str(folder), "--outputs", "nothing"])
    assert done.exit_code == 2
    assert "nothing" in done.stderr


def test_publishing_accepts_what_verifies() -> None:
    half = pytest.importorskip("care_training.half")
    assert half.CLOSE == HALF_TOLERANCE


def test_half_precision_is_not_verified_on_a_cpu(halve: Any) -> None:
    line = ["verify", str(halve(off(0.0))), "--device", "cpu"]
    assert CliRunner().invoke(main, [*line, "--precision", "fp16"]).exit_code == 2
    assert CliRunner().invoke(main, line).exit_code == 0


@pytest.mark.parametrize("value", [2e-3, HALF_TOLERANCE])
def test_tolerances_of_half_precision(value: float) -> None:
    for test, tiled in ((value, 0.0), (0.0, value)):
        found = Verified({"mean": test}, {"mean": tiled}, "cuda:0")
        assert not found.passed
        assert replace(found, precision="fp16").passed
    wide = Verified({"mean": 0.011}, {"mean": 0.0}, "cuda:0", precision="fp16")
    assert not wide.passed
    assert not replace(wide, test={"mean": float("nan")}).passed


# a network that nobody tried


def greedy() -> onnx.ModelProto:
    """Ask for a terabyte."""
    shape = numpy_helper.from_array(np.int64([1 << 38]), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        helper.make_node("Add", ["input", "sum"], ["mean"]),
    ]
    axes = ["b", 1, *"yx"]
    return tiny.model(nodes, [shape], axes, {"mean": axes})


def plan(found: package_.Package, device: str, precision: str = "auto") -> Any:
    return recipe.planned(
        found,
        None,
        device,
        "auto",
        1,
        precision=precision,
        outputs=None,
        trust=Trust(),
    )


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory on Linux alone")
def test_workers_get_no_network_that_was_not_tried(halve: Any) -> None:
    folder = halve(greedy())
    found = package_.read(folder, folder)
    assert not found.listed
    for precision in ("auto", "fp16"):
        with pytest.raises(EngineError, match="process of its own") as error:
            plan(found, "cuda", precision)
        one_line(error.value)
    assert plan(found, "cuda", "fp32")[1].precision == "fp32"
    assert plan(found, "cpu")[1].precision == "fp32"


def test_workers_get_what_was_tried(
    halve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ran = halve(off(0.0)), []

    def run(network: Path, *args: Any) -> str:
        ran.append(package_.sha256(network))
        return ""

    monkeypatch.setattr(trial, "run", run)
    made = plan(package_.read(folder, folder), "cuda")[1]
    assert made.precision == "fp16"
    assert made.sha256 == package_.sha256(folder / "model.fp16.onnx") == ran[-1]
    assert len(ran) == 2
    plan(package_.read(folder, folder), "cuda")
    assert len(ran) == 2
    ran.clear()
    plan(package_.read_folder(folder), "cuda")  # made here
    assert ran == []
