"""care-train from end to end, as a person types it."""

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

import care_runtime
from care_training.cli import main


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def fit(folders):
    def call(*more, out="out", shape=("--depth", 1, "--kernel", 3, "--filters", 4)):
        return run(
            *("fit", "--low", folders / "low", "--high", folders / "high"),
            *("--axes", "YX", "--name", "mine", "-o", folders / out),
            *("--steps", 12, "--batch", 2, "--patch", "32,32"),
            *shape,
            *more,
        )

    return call


def test_a_users_own_model(folders, fit):
    result = fit()
    assert result.exit_code == 0, result.output
    assert "held back: field" in result.output
    assert "largest shift within a pair" in result.output
    assert "PSNR" in result.output
    restorer = care_runtime.load(str(folders / "out" / "mine"), device="cpu")
    image = tifffile.imread(folders / "low" / "field0.tif")
    restored = restorer(image, "YX")
    assert restored.image.shape == image.shape
    assert restored.image.dtype == np.uint16
    card = (folders / "out" / "mine" / "README.md").read_text("utf-8")
    assert "bioimageio.core mirrors the image" in card
    assert "steps: 12" in card
    assert "| Gaussian" in card
    init = ("--init", folders / "out" / "mine")
    assert "--depth" in fit(*init, out="second").stderr  # that of --init is kept
    again = fit(*init, "--fresh-noise", 0.5, out="second", shape=())
    assert again.exit_code == 0, again.output
    assert "started from" in (folders / "second/mine/README.md").read_text("utf-8")


def test_a_users_own_volume(tmp_path):
    rng = np.random.default_rng(0)
    for side in ("low", "high"):
        (tmp_path / side).mkdir()
    volume = rng.uniform(0, 1000, (9, 70, 34)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "high" / "only.tif", volume)
    tifffile.imwrite(
        tmp_path / "low" / "only.tif", rng.poisson(volume / 50).astype("u2")
    )
    result = run(
        *(
            "fit",
            "--low",
            tmp_path / "low",
            "--high",
            tmp_path / "high",
            "--axes",
            "zyx",
        ),
        *("--name", "volume", "-o", tmp_path / "out", "--recipe", "paper"),
        *("--steps", 2, "--batch", 1, "--patch", "16,16,16", "--filters", 4),
    )
    assert result.exit_code == 0, result.output
    assert "only [validation]" in result.output
    restorer = care_runtime.load(str(tmp_path / "out" / "volume"), device="cpu")
    assert restorer(volume, "ZYX").image.shape == volume.shape


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--axes", "ZYX"], "field0.tif"),
        (["--patch", "31,31"], "grid of [2, 2]"),
        (["--recipe", "magic"], "default, paper"),
        (["--init", "denoise_planarium"], "denoise_planarium"),
        (["--device", "tpu"], "tpu"),
        (["--device", "cpu:7"], "cpu:7"),
        (["--steps", "0"], "steps of 1 or more"),
        (["--kernel", "4"], "odd kernel"),
        (["--name", "../mine"], "../mine"),
    ],
)
def test_bad_requests_are_one_line(folders, fit, words, said):
    result = fit(*words)
    assert result.exit_code in (1, 2), result.output
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (folders / "out" / "mine").exists()


def test_noise_of_other_channels_is_not_drawn(folders, fit):
    for path in (folders / "low").iterdir():
        image = tifffile.imread(path)
        tifffile.imwrite(path, np.stack([image] * 2), photometric="minisblack")
    for path in (folders / "high").iterdir():
        image = tifffile.imread(path)
        tifffile.imwrite(path, image[None], photometric="minisblack")
    result = fit("--axes", "CYX", "--fresh-noise", 0.5)
    assert result.exit_code == 1
    assert "2 channels that become 1" in result.stderr


def test_a_checkpoint_of_other_images_is_refused(folders, fit):
    assert fit().exit_code == 0
    path = folders / "low" / "field0.tif"
    tifffile.imwrite(path, tifffile.imread(path)[::-1].copy())
    result = fit()
    assert result.exit_code == 1
    assert "trained on other images" in result.stderr


def test_a_shifted_pair_is_reported(folders, fit):
    path = folders / "low" / "field1.tif"
    tifffile.imwrite(path, np.roll(tifffile.imread(path), 4, axis=0))
    result = fit()
    assert "field1 are shifted by +4" in result.stderr


def test_experiments_are_listed():
    assert "denoise_widefield" in run("list").output


def test_an_unknown_experiment():
    result = run("run", "denoise_planet", "--data", ".", "-o", ".")
    assert result.exit_code == 2
    assert "denoise_widefield" in result.stderr
