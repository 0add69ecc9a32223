"""OpenVINO: the same answers as ONNX Runtime, and tiled equals whole there too."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import tiny
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from tiny import noise, one_line

import care_runtime
from care_runtime import engines, store, verify, vino
from care_runtime import package as package_
from care_runtime.cli import main
from care_runtime.errors import EngineError, OptionError, OutOfMemoryError
from care_runtime.restore import Restorer
from care_runtime.variant import Variant
from care_runtime.vino import VinoEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_runtime.engine import Engine

    Load = Callable[[str], Engine]

# Through us, for an import of its own would tell Intel of it over the network.
if not vino.installed():
    pytest.skip("openvino is not installed", allow_module_level=True)

MODEL = "denoise_widefield"
PARITY = 1e-4
"""Largest difference between the engines, as a part of the range."""

COMPILED = {name: VinoEngine(make().SerializeToString(), threads=2)
            for name, make in tiny.NETWORKS.items()}  # fmt: skip


def batch(name: str, **sizes: int) -> np.ndarray:
    letters = tiny.spec(name).input.letters
    sizes = {"B": 2, "Z": 4, "Y": 24, "X": 20} | sizes
    sizes["C"] = tiny.spec(name).input.channels
    return noise(letters, "float32", **sizes) / np.float32(250)


# the same answers


@pytest.mark.parametrize("name", sorted(tiny.NETWORKS))
def test_answers_are_those_of_onnx_runtime(engine: Load, name: str) -> None:
    x, other = batch(name), COMPILED[name]
    assert (other.inputs, other.outputs) == (engine(name).inputs, engine(name).outputs)
    for y, z in zip(other(x), engine(name)(x), strict=True):
        assert y.dtype == z.dtype == np.float32
        assert verify.difference(y, z) <= PARITY


def test_the_bundled_model_gives_the_same_image() -> None:
    load = partial(care_runtime.load, MODEL, device="cpu")
    frame = np.random.default_rng(0).poisson(100, (150, 130)).astype(np.uint16)
    made = [
        load(engine=name)(frame, "YX", dtype="float32")
        for name in ("openvino", "onnxruntime")
    ]
    assert verify.difference(made[0].image, made[1].image) <= PARITY
    assert made[0].provenance["engine"].startswith("openvino 20")
    assert made[1].provenance["engine"].startswith("onnxruntime 1.")


def test_threads_do_not_change_the_answer() -> None:
    x = batch("unet2d", Y=96, X=64)
    one = VinoEngine(tiny.NETWORKS["unet2d"]().SerializeToString(), threads=1)
    np.testing.assert_array_equal(one(x)[0], COMPILED["unet2d"](x)[0])


def test_shapes_may_change_from_call_to_call(engine: Load) -> None:
    run = COMPILED["unet3d"]
    for sizes in ({"Z": 8}, {"Y": 6}, {"X": 2, "B": 1}, {"Z": 8}):
        x = batch("unet3d", **sizes)
        first = run(x)[0].copy()
        assert verify.difference(first, engine("unet3d")(x)[0]) <= PARITY
        np.testing.assert_array_equal(run(x)[0], first)


def test_answers_are_not_overwritten_by_the_next_call() -> None:
    x = batch("unet2d")
    first = COMPILED["unet2d"](x)[0]
    kept = first.copy()
    COMPILED["unet2d"](-x)
    np.testing.assert_array_equal(first, kept)


def test_threads_may_share_it() -> None:
    run, images = COMPILED["unet2d"], [batch("unet2d", Y=20 + 2 * i) for i in range(6)]
    found: dict[int, Any] = {}

    def work(i: int) -> None:
        found[i] = [run(images[i])[0] for _ in range(10)]

    workers = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for i, image in enumerate(images):
        for answer in found[i]:
            np.testing.assert_array_equal(answer, run(image)[0])


# tiled is whole


@settings(max_examples=30)
@given(
    name=st.sampled_from(["unet2d", "unet3d", "projection", "identity3d"]),
    size=st.tuples(st.integers(1, 12), st.integers(1, 70), st.integers(1, 70)),
    tile=st.fixed_dictionaries({"y": st.integers(1, 60), "x": st.integers(1, 60)}),
    z=st.integers(1, 6),
)
def test_tiled_is_whole(
    name: str, size: tuple[int, int, int], tile: dict[str, int], z: int
) -> None:
    run = Restorer(tiny.spec(name), COMPILED[name])
    image = noise("ZYX", Z=size[0], Y=size[1], X=size[2])
    if name == "projection":
        image = np.resize(image, (4, *image.shape[1:]))
    options = {"normalize": "values:0,100", "dtype": "float32"}
    whole = run(image, "ZYX", tile="whole", **options)
    tiled = run(image, "ZYX", tile=tile | {"z": z}, **options)
    np.testing.assert_array_equal(tiled.image, whole.image)


@pytest.mark.parametrize("name", sorted(tiny.NETWORKS))
def test_every_package_verifies(engine: Load, tmp_path: Path, name: str) -> None:
    folder = tiny.write_package(tmp_path / name, name, engine(name))
    found = verify.verify(package_.read(folder, folder), COMPILED[name])
    assert found.passed
    assert found.engine.startswith("openvino 20")
    assert set(found.tiled.values()) == {0.0}


def test_the_bundled_model_verifies() -> None:
    found = store.locate(MODEL)
    result = verify.verify(found, VinoEngine(found.onnx))
    assert result.passed
    assert result.test["mean"] <= PARITY
    assert result.tiled == {"mean": 0.0}


# outputs and variants


def test_only_the_outputs_asked_for() -> None:
    content, x = tiny.NETWORKS["laplace"]().SerializeToString(), batch("laplace")
    mean, scale = VinoEngine(content)(x)
    np.testing.assert_array_equal(VinoEngine(content, outputs=["scale"])(x), [scale])
    turned = VinoEngine(content, outputs=["scale", "mean"])
    assert turned.outputs == ("scale", "mean")
    np.testing.assert_array_equal(turned(x), [scale, mean])
    with pytest.raises(EngineError, match="'std'") as error:
        VinoEngine(content, outputs=["mean", "std"])
    one_line(error.value)


def test_an_output_that_equals_another_tensor_keeps_its_name() -> None:
    """Compiled, it has the name of the other one too."""
    shape = ["b", 1, "y", "x"]
    nodes = [
        helper.make_node("Relu", ["input"], ["inner"]),
        helper.make_node("Identity", ["inner"], ["mean"]),
        helper.make_node("Neg", ["inner"], ["other"]),
        helper.make_node("Identity", ["inner"], ["std"]),
    ]
    targets = dict.fromkeys(("mean", "other", "std"), shape)
    content = tiny.model(nodes, [], shape, targets).SerializeToString()
    x = noise("BCYX", "float32", B=1, C=1, Y=4, X=6)
    wanted = {"mean": x, "other": -x, "std": x}
    for names in (None, ["std"], ["std", "other"], ["other", "std", "mean"]):
        made = VinoEngine(content, outputs=names)
        assert list(made.outputs) == (names or list(wanted))
        for name, answer in zip(made.outputs, made(x), strict=True):
            np.testing.assert_array_equal(answer, wanted[name])


def test_a_variant_is_taken(engine: Load, tmp_path: Path) -> None:
    folder = tiny.write_package(tmp_path / "p", "laplace", engine("laplace"))
    onnx.save(tiny.NETWORKS["identity2d"](), folder / "model.mean.onnx")
    found = package_.read(folder, folder)
    assert found.spec.care
    known = Variant(("mean",), package_.sha256(folder / "model.mean.onnx"))
    care = replace(found.spec.care, variants={"model.mean.onnx": known})
    found = replace(found, spec=replace(found.spec, care=care))
    made = care_runtime.load(found, engine="openvino", outputs=["mean"])
    assert made.provenance["model sha256"] == known.sha256
    image = noise("YX", Y=9, X=11)
    assert list(made(image, "YX").outputs) == ["mean"]
    np.testing.assert_array_equal(made(image, "YX").image, image)


# which engine


def test_it_is_taken_on_a_cpu(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = package / "model.onnx"
    assert engines.load(path, "cpu").name == "openvino"
    assert engines.load(path, "cpu", engine="onnxruntime").name == "onnxruntime"
    assert engines.load(path, engine="openvino").device == "cpu"
    monkeypatch.setattr(vino, "installed", lambda: False)
    assert engines.load(path, "cpu").name == "onnxruntime"


def test_where_it_cannot_run(package: Path) -> None:
    with pytest.raises(OptionError, match=r"'cuda:0'.*'cpu'.*'onnxruntime'") as error:
        engines.load(package / "model.onnx", "cuda:0", engine="openvino")
    one_line(error.value)
    with pytest.raises(OptionError, match="'tensorrt'") as error:
        engines.load(package / "model.onnx", engine="tensorrt")
    one_line(error.value)


def test_a_broken_install_is_no_silent_fall_back(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vino, "_openvino", vino._openvino.__wrapped__)
    monkeypatch.setattr(vino, "installed", lambda: True)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineError, match=r"care-zoo\[openvino\].*'onnxr") as error:
        engines.load(package / "model.onnx", "cpu")
    one_line(error.value)


@pytest.mark.parametrize("content", [b"", b"no network", None])
def test_files_that_are_no_network(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(EngineError, match=r"broken\.onnx") as error:
        VinoEngine(tmp_path / "broken.onnx")
    one_line(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(4, 4), (1, 2, 4, 4), (1, 1, 3, 5), (1, 1, 24, 21)])
def test_shapes_that_do_not_fit(
    capfd: pytest.CaptureFixture[str], shape: tuple[int, ...], threads: int
) -> None:
    """Asked to run on them, OpenVINO may answer with nothing, or crash."""
    x = batch("unet2d")
    run = VinoEngine(tiny.NETWORKS["unet2d"]().SerializeToString(), threads=threads)
    for _ in range(2):
        with pytest.raises(EngineError) as error:
            run(np.zeros(shape, np.float32))
        assert str(shape) in one_line(error.value)
        np.testing.assert_array_equal(run(x)[0], COMPILED["unet2d"](x)[0])
    assert capfd.readouterr() == ("", "")


def test_after_a_failure_it_is_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Left as it is, OpenVINO may refuse tiles that it took before."""
    x = batch("unet2d")
    run = VinoEngine(tiny.NETWORKS["unet2d"]().SerializeToString(), threads=2)
    before = run._compiled

    def fail() -> None:
        msg = "could not allocate 8 bytes"
        raise RuntimeError(msg)

    monkeypatch.setattr(before, "_request", fail)
    with pytest.raises(OutOfMemoryError, match="take smaller tiles"):
        run(x)
    np.testing.assert_array_equal(run(x)[0], COMPILED["unet2d"](x)[0])
    assert run._compiled is not before


def test_it_reports_to_nobody() -> None:
    """OpenVINO's converter tells Intel of its import; we leave it out."""
    code = (
        "import sys; from care_runtime import vino; vino._openvino(); "
        "print([n for n in sys.modules if 'telemetry' in n or '.ovc' in n])"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert import_module("openvino").Core


# the command line


def test_the_engine_is_named(tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "i.tif", noise("YX", Y=40, X=40))
    words = ["restore", str(tmp_path / "i.tif"), "-m", MODEL, "--json", "--overwrite"]
    words += ["-o", str(tmp_path / "o.tif"), "--device", "cpu"]
    for extra, name in (
        ([], "openvino"),
        (["--engine", "onnxruntime", "--threads", "1"], "onnxruntime"),
        (["--engine", "openvino", "--threads", "1"], "openvino"),
    ):
        result = CliRunner().invoke(main, words + extra)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["engine"].startswith(f"{name} ")
    for extra in (["--engine", "tflite"], ["--threads", "-1"]):
        assert CliRunner().invoke(main, words + extra).exit_code == 2
    told = CliRunner().invoke(main, ["verify", MODEL, "--engine", "openvino"]).stdout
    assert "openvino 20" in told
