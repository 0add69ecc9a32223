"""bf16: OpenVINO's products of bfloat16, where they can be had and are enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny
from click.testing import CliRunner
from tiny import one_line

import care_runtime
from care_runtime import doctor, engines, store, vino
from care_runtime import package as package_
from care_runtime import precision as precision_
from care_runtime.cli import main
from care_runtime.errors import EngineError, OptionError
from care_runtime.score import score
from care_runtime.verified import Verified
from care_runtime.vino import VinoEngine

MODEL = "denoise_widefield"

needs_bf16 = pytest.mark.skipif(
    not vino.installed() or not vino.has_bf16(),
    reason="needs OpenVINO, and a CPU with AMX or AVX-512 BF16",
)


@pytest.fixture
def capable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have OpenVINO and such a CPU, as far as decisions go."""
    monkeypatch.setattr(vino, "installed", lambda: True)
    monkeypatch.setattr(vino, "has_bf16", lambda: True)


# what is decided


@pytest.mark.usefixtures("capable")
@pytest.mark.parametrize("engine", ["auto", "openvino"])
def test_it_computes_the_network_of_float32(engine: str) -> None:
    package = store.locate(MODEL)
    assert precision_.decide("bf16", package, ["mean"], "cpu", engine) == "bf16"
    assert precision_.file(package, ["mean"], "bf16") == package.onnx


@pytest.mark.usefixtures("capable")
def test_nobody_gets_it_who_did_not_ask() -> None:
    assert precision_.decide("auto", store.locate(MODEL), ["mean"], "cpu") == "fp32"


@pytest.mark.usefixtures("capable")
@pytest.mark.parametrize(
    ("device", "engine", "found"),
    [
        ("cuda:0", "auto", "'cuda:0'.*'fp16'"),
        ("cpu", "onnxruntime", "engine 'onnxruntime'.*'openvino'"),
    ],
)
def test_where_it_cannot_be_had(device: str, engine: str, found: str) -> None:
    with pytest.raises(OptionError, match=found) as error:
        precision_.decide("bf16", store.locate(MODEL), ["mean"], device, engine)
    one_line(error.value)


@pytest.mark.usefixtures("capable")
@pytest.mark.parametrize("lacking", ["installed", "has_bf16"])
def test_without_library_or_processor(
    monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    monkeypatch.setattr(vino, lacking, lambda: False)
    with pytest.raises(OptionError, match=r"expected (OpenVINO|a CPU).*'fp32'"):
        precision_.decide("bf16", store.locate(MODEL), ["mean"], "cpu")


@pytest.mark.usefixtures("capable")
def test_probabilities_need_more_bits(tmp_path: Any, engine: Any) -> None:
    folder = tiny.write_package(tmp_path / "p", "laplace", engine("laplace"))
    found = package_.read_folder(folder)
    assert precision_.decide("bf16", found, ["mean"], "cpu") == "bf16"
    with pytest.raises(OptionError, match=r"found scale.*'mean' alone") as error:
        precision_.decide("bf16", found, ["mean", "scale"], "cpu")
    one_line(error.value)


# what is computed


def sample() -> tuple[Any, Any]:
    """Read the sample of the bundled model, and its truth."""
    folder = store.locate(MODEL).folder
    names = ("sample.tif", "sample_truth.tif")
    seen, truth = (care_runtime.read(folder / name) for name in names)
    return seen, np.asarray(truth.pixels, float)


@needs_bf16
def test_the_image_is_as_good() -> None:
    seen, truth = sample()
    made = {
        wish: care_runtime.load(MODEL, engine="openvino", device="cpu", precision=wish)
        for wish in ("fp32", "bf16")
    }
    images = {wish: model(seen, dtype="float32") for wish, model in made.items()}
    full, fewer = (np.asarray(image) for image in images.values())
    assert not np.array_equal(full, fewer)
    assert images["bf16"].provenance["precision"] == "bf16"
    change = score(full, truth).psnr - score(fewer, truth).psnr
    assert abs(change) < 0.05  # dB, as for half precision on a GPU


@needs_bf16
def test_tiled_is_whole() -> None:
    seen, _ = sample()
    model = care_runtime.load(MODEL, engine="openvino", precision="bf16", device="cpu")
    whole = np.asarray(model(seen, dtype="float32", tile="whole"))
    tiled = np.asarray(model(seen, dtype="float32", tile="64,48"))
    np.testing.assert_array_equal(tiled, whole)


@needs_bf16
def test_it_verifies_and_says_so() -> None:
    done = CliRunner().invoke(main, ["verify", MODEL, "--precision", "bf16"])
    assert done.exit_code == 0, done.output
    assert "bf16" in done.stdout


def test_more_is_forgiven_to_fewer_bits_and_seams_are_not() -> None:
    found = Verified({"mean": 0.04}, {"mean": 0.0}, "cpu", precision="bf16")
    assert found.passed
    for test, seam in ((0.06, 0.0), (0.0, 1e-6)):
        wrong = Verified({"mean": test}, {"mean": seam}, "cpu", precision="bf16")
        assert not wrong.passed


@needs_bf16
def test_a_library_that_takes_another_precision_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = vino._core()

    monkeypatch.setattr(vino, "has_bf16", lambda: True)

    class Other:
        def compile_model(self, network: Any, device: str, hints: Any) -> Any:
            return core.compile_model(network, device, hints | vino.HINTS)

    monkeypatch.setattr(vino, "_core", Other)
    with pytest.raises(EngineError, match=r"expected OpenVINO .* in bf16, found f32"):
        VinoEngine(tiny.NETWORKS["identity2d"]().SerializeToString(), precision="bf16")


def test_a_worker_without_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph may have been planned on another kind of machine."""
    monkeypatch.setattr(vino, "has_bf16", lambda: False)
    with pytest.raises(EngineError, match=r"expected a CPU .*'fp32'") as error:
        VinoEngine(tiny.NETWORKS["identity2d"]().SerializeToString(), precision="bf16")
    one_line(error.value)


@needs_bf16
def test_workers_compute_in_it() -> None:
    pytest.importorskip("dask")
    import dask.array

    import care_runtime.dask

    seen, _ = sample()
    model = care_runtime.load(
        MODEL, engine="openvino", precision="bf16", device="cpu", threads=1
    )
    lazy = care_runtime.dask.restore(
        dask.array.from_array(seen.pixels),
        MODEL,
        axes=seen.axes,
        device="cpu",
        engine="openvino",
        precision="bf16",
    )
    np.testing.assert_array_equal(lazy.compute().image, model(seen).image)


@needs_bf16
def test_the_doctor_knows_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def told() -> str:
        (found,) = (f for f in doctor.examine() if f.subject == "OpenVINO")
        assert found.status == "ok"
        return found.found

    assert "--precision bf16" in told()
    monkeypatch.setattr(vino, "has_bf16", lambda: False)
    assert "bf16" not in told()


@needs_bf16
def test_engines_take_it_as_a_precision() -> None:
    path = store.locate(MODEL).onnx
    x = np.random.default_rng(0).random((1, 1, 32, 32), np.float32)
    (full,), (fewer,) = (
        engines.load(path, "cpu", precision=p)(x) for p in ("fp32", "bf16")
    )
    assert 0 < np.abs(full - fewer).max() < 0.05
