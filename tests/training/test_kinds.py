"""Every kind of network, from a user's folders to a restoration, with one command."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import tifffile
from click.testing import CliRunner
from scipy import ndimage, signal

import care_runtime
from care_runtime import package
from care_runtime.engine import Engine
from care_runtime.errors import OptionError, TrainingError
from care_runtime.verify import verify
from care_training import folders
from care_training.cli import main
from care_training.compute import Compute
from care_training.degrade import Degradation, turned
from care_training.kind import Kind
from care_training.recipe import get_recipe
from care_training.request import Request, prepare
from care_training.simulate import Camera, filaments

SMALL = ("--steps", "4", "--batch", "2", "--filters", "4", "--depth", "1")


def write(folder, kind, count=3):
    """Write image pairs of a kind as a user has them."""
    rng, camera = np.random.default_rng(0), Camera()
    for side in ("low", "high"):
        (folder / side).mkdir()
    for i in range(count):
        if kind == "planes":
            clean = filaments((64, 72), rng)
            low, high = camera.expose(clean, rng), camera.truth(clean)
        elif kind == "projection":
            clean, planes = filaments((64, 64), rng), np.arange(5 - i % 2)
            light = np.exp(-((planes - 2.0) ** 2))[:, None, None]
            low, high = camera.expose(light * clean, rng), camera.truth(clean)
        else:
            clean = filaments((12, 64, 64), rng)
            high = camera.truth(clean)
            low = camera.expose(clean, rng)[:: 3 if kind == "upsampling" else 1]
        for side, image in (("low", low), ("high", high)):
            path = folder / side / f"field{i}.tif"
            tifffile.imwrite(path, image, photometric="minisblack")
    return folder


def fit(folder, *options, images=None):
    """Run care-train fit, and open what it made."""
    images = images or ("--low", folder / "low", "--high", folder / "high")
    command = ["fit", *images, "--name", "model", "-o", folder / "out", *SMALL]
    result = CliRunner().invoke(main, [str(part) for part in (*command, *options)])
    assert result.exit_code == 0, result.output
    return package.read_folder(folder / "out" / "model")


def check(found, image, axes, shape):
    """Verify a package, and restore an image off the grid, tiled and whole."""
    assert verify(found, Engine(found.onnx, "cpu")).passed
    for file in found.folder.glob("*.onnx"):
        model = onnx.load(str(file))
        assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    restorer = care_runtime.load(found, device="cpu")
    whole = restorer(image, axes, tile="whole", dtype="float32")
    tiled = restorer(image, axes, tile=16, dtype="float32")
    assert whole.image.shape == shape
    np.testing.assert_array_equal(tiled.image, whole.image)
    return whole


def test_a_projection_with_its_height_map(tmp_path):
    folder = write(tmp_path, "projection")
    options = ("--axes", "ZYX", "--projection", "--height-map", "--patch", "32,32")
    found = fit(folder, *options)
    rng = np.random.default_rng(1)
    made = check(found, rng.poisson(50, (7, 61, 83)), "ZYX", (61, 83))
    (size,) = (a.size for a in found.spec.input.axes if a.letter == "Z")
    card = (found.folder / "README.md").read_text("utf-8")
    assert f"Z: it takes images of exactly {size} pixels" in card
    height = made.outputs["height"]
    assert height.shape == (61, 83)
    assert height.dtype == np.float32
    assert 0 <= height.min() <= height.max() <= 6


def test_an_upsampling(tmp_path):
    folder = write(tmp_path, "upsampling")
    options = ("--axes", "ZYX", "--upsample", "3", "--patch", "8,32,32")
    found = fit(folder, *options)
    assert found.spec.care.resample.factor == 3
    assert found.spec.care.resample.when == "before"
    check(found, np.random.default_rng(1).poisson(50, (5, 31, 45)), "ZYX", (15, 31, 45))
    # Planes were left out of the low stacks; the card and the report say what follows.
    card = (found.folder / "README.md").read_text("utf-8")
    assert "Planes of the targets were interpolated" in card
    words = ["evaluate", found.folder, "--low", folder / "low", "--high"]
    words += [folder / "high", "--axes", "ZYX", "-o", folder / "judged"]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert "they are interpolated" in " ".join(result.output.split())
    report = json.loads((folder / "judged" / "report.json").read_text("utf-8"))
    assert report["planes of the truth were interpolated"] is True


def test_an_isotropic_network_of_volumes(tmp_path):
    folder = write(tmp_path, "volumes")
    images = ("--isotropic", folder / "low", "--factor", "3")
    options = ("--axes", "ZYX", "--probabilistic", "--patch", "32,32", "--sharper")
    found = fit(folder, *options, images=images)
    assert found.spec.care.resample.cubic
    image = np.random.default_rng(1).poisson(50, (7, 33, 47))
    made = check(found, image, "ZYX", (21, 33, 47))
    assert set(made.outputs) == {"mean", "scale"}
    card = (found.folder / "README.md").read_text("utf-8")
    assert "semi-synthetic" in card
    assert "Calibration" in card
    # Fitted on the volumes.
    (gain,) = found.spec.care.training["network"]["gains"]
    assert f"detail along Z: times {gain:g}" in card


def test_an_ensemble_of_volumes(tmp_path):
    """Its outputs are merged along axes, of which some have none before them."""
    folder = write(tmp_path, "volumes")
    options = ("--axes", "ZYX", "--probabilistic", "--ensemble", "2")
    found = fit(folder, *options, "--patch", "8,32,32", "--recalibrate")
    image = np.random.default_rng(1).poisson(50, (7, 33, 47))
    made = check(found, image, "ZYX", (7, 33, 47))
    assert made.outputs["member_mean"].shape == (2, 7, 33, 47)
    lean = care_runtime.load(found, device="cpu", outputs=["mean"])
    same = lean(image, "ZYX", dtype="float32").image
    np.testing.assert_allclose(same, made.image, rtol=1e-5)


def test_what_was_fitted_to_a_network_is_not_handed_on(tmp_path):
    folder = write(tmp_path, "volumes")
    images = ("--isotropic", folder / "high", "--axes", "ZYX", "--patch", "32,32")
    options = ("--probabilistic", "--recalibrate", "--sharper")
    first = fit(folder, "--factor", "3", *options, images=images)
    assert first.spec.care.training["network"]["gains"]
    init = ("--init", first.folder)
    words = [
        "fit",
        *images,
        "--probabilistic",
        "--factor",
        "2",
        *init,
        "--name",
        "next",
    ]
    words += ["-o", folder / "out", *SMALL[:4]]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    second = package.read_folder(folder / "out" / "next").spec.care
    network = second.training["network"]
    assert "gains" not in network
    assert network["unet"]["recalibration"] == 1
    assert second.resample.factor == 2


def test_time_points_of_a_volume_are_not_held_back_alone(tmp_path):
    rng = np.random.default_rng(0)
    movie = np.stack([Camera().truth(filaments((16, 64, 64), rng)) for _ in range(4)])
    tifffile.imwrite(tmp_path / "movie.tif", movie, photometric="minisblack")
    request = Request(
        tmp_path / "movie.tif",
        None,
        "TZYX",
        "model",
        tmp_path,
        get_recipe("default", patch=(16, 16)),
        Compute(),
        None,
        {"depth": 1},
        Kind(isotropic=4.0),
    )
    found = prepare(request).split
    assert {pair.name for pair in found.training} == {
        f"movie T{i} [training]" for i in range(4)
    }
    assert all("[validation]" in pair.name for pair in found.validation)


def test_stacks_are_judged_as_deep_as_they_are(tmp_path):
    folder = write(tmp_path, "projection")
    files = folders.find(folder / "low", folder / "high")
    found = folders.read(files, "ZYX", projected=True)
    assert [pair.low.shape[1] for pair in found] == [5, 4, 5]
    deep = folders.equally_deep(found)
    assert [pair.low.shape[1] for pair in deep] == [5, 5, 5]
    np.testing.assert_array_equal(deep[1].low[:, 4], found[1].low[:, 3])


def test_an_ensemble_and_its_recalibration(tmp_path):
    folder = write(tmp_path, "planes")
    options = ("--axes", "YX", "--probabilistic", "--ensemble", "2", "--patch", "32,32")
    found = fit(folder, *options, "--recalibrate")
    image = np.random.default_rng(1).poisson(50, (45, 67))
    made = check(found, image, "YX", (45, 67))
    outputs = made.outputs
    names = ["mean", "std", "disagreement", "member_mean", "member_scale"]
    assert list(outputs) == names
    np.testing.assert_allclose(
        outputs["member_mean"].mean(axis=0), outputs["mean"], rtol=1e-5
    )
    # The members were trained from other seeds, with checkpoints of their own.
    assert np.abs(np.diff(outputs["member_mean"], axis=0)).max() > 0
    assert len(list((folder / "out").glob("model.checkpoint.*.pt"))) == 2
    lean = care_runtime.load(found, device="cpu", outputs=["mean"])
    assert found.network(["mean"]).name == "model.mean.onnx"
    same = lean(image, "YX", dtype="float32").image
    np.testing.assert_allclose(same, outputs["mean"], rtol=1e-5)

    command = ["evaluate", found.folder, "--low", folder / "low"]
    command += ["--high", folder / "high", "--axes", "YX", "--recalibrate"]
    command += ["-o", folder / "judged"]
    result = CliRunner().invoke(main, [str(part) for part in command])
    assert result.exit_code == 0, result.output
    report = json.loads((folder / "judged" / "report.json").read_text("utf-8"))
    assert len(report["calibration"]) == 2
    assert (folder / "judged" / "calibration.png").stat().st_size > 1000
    again = package.read_folder(folder / "judged" / "model")
    # The package says what its network does, and no more what it did before.
    old, new = (p.spec.care.training["recalibration"] for p in (found, again))
    before, after = (float(said.split()[2].rstrip(",")) for said in (old, new))
    scaled = care_runtime.load(again, device="cpu")(image, "YX", dtype="float32")
    np.testing.assert_allclose(
        scaled.outputs["member_scale"],
        after / before * outputs["member_scale"],
        rtol=1e-3,
    )
    card, fresh = ((p.folder / "README.md").read_text("utf-8") for p in (found, again))
    assert "## Calibration" in card
    assert "measures it on others" in card
    assert "## Calibration" not in fresh
    assert fresh.count("## Recalibration") == 1
    assert f"taken times {after:g}," in fresh
    assert "calibration error before" not in again.spec.care.training


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"projection": True, "upsample": 2.0}, "does one of them"),
        ({"ensemble": 5}, "--probabilistic"),
        ({"ensemble": 0, "probabilistic": True}, "1 or more"),
        ({"height": "argmax"}, "--projection"),
        (
            {"projection": True, "probabilistic": True, "ensemble": 2}
            | {"height": "argmax"},
            "expectation",
        ),
        ({"upsample": 1.0}, "above 1"),
        ({"isotropic": float("nan")}, "above 1"),
    ],
)
def test_kinds_that_make_no_sense(wishes, words):
    with pytest.raises(OptionError, match=words):
        Kind(**wishes)


def test_kinds_need_z():
    with pytest.raises(OptionError, match="with Z"):
        Kind(projection=True).check("YX")


def test_degraded_planes_lie_where_the_runtime_stretches_them():
    ramp = np.broadcast_to(np.arange(40.0), (1, 3, 5, 40))
    pair = Degradation(4, blur=1e-3)("ramp", ramp)
    assert pair.low.shape == (1, 3, 5, 10)
    assert pair.high.shape == (1, 3, 5, 40)
    np.testing.assert_allclose(pair.low[0, 0, 0], np.linspace(0, 39, 10), atol=1e-4)


def test_planes_that_are_as_sharp_are_only_subsampled():
    ramp = np.random.default_rng(0).random((1, 3, 5, 40))
    pair = Degradation(4, blur=0.0)("sharp", ramp)
    np.testing.assert_allclose(pair.low[..., 0], ramp[..., 0], rtol=1e-6)
    np.testing.assert_allclose(pair.low[..., -1], ramp[..., -1], rtol=1e-6)


def test_planes_are_blurred_by_a_psf_as_an_axial_plane_is():
    rng = np.random.default_rng(0)
    scene = (rng.random((41, 60)) > 0.95).astype(np.float32)
    psf = np.zeros((21, 7, 7))
    psf[10, 3, 3] = 1
    psf = ndimage.gaussian_filter(psf, (3.0, 1.0, 1.0))
    # What goes on along Y, cut along Z and X, is what the turned PSF makes of it.
    volume = np.broadcast_to(scene.T[:, None], (60, 9, 41))
    seen = signal.fftconvolve(
        np.pad(volume, ((10, 10), (3, 3), (3, 3)), "symmetric"), psf, mode="valid"
    )
    lateral = scene[None, None]
    pair = Degradation(1, psf=turned(psf))("scene", lateral)
    np.testing.assert_allclose(pair.low[0, 0], seen[:, 4].T, atol=1e-5)


def test_a_volume_too_narrow_to_degrade_is_named():
    with pytest.raises(TrainingError, match=r"vol.*smaller factor"):
        Degradation(10)("vol", np.zeros((1, 2, 30, 30)))
