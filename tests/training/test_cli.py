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
        (["--patch", "0,0"], "whole pixels"),
        (["--patch", "-32,32"], "whole pixels"),
        (["--patch", "32.9,32"], "whole pixels"),
        (["--patch", "inf,32"], "whole pixels"),
        (["--patch", "nan,32"], "whole pixels"),
        (["--recalibrate"], "--probabilistic"),
        (["--device", "cpu:"], "cpu:"),
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


@pytest.mark.parametrize(
    "words",
    [
        ("--steps", "0"),
        ("--batch", "0"),
        ("--filters", "0"),
        ("--recipe", "nope"),
        ("--device", "gpu"),
        ("--patch", "17,17"),
        ("--patch", "16"),
        ("--fresh-noise", "nan"),
    ],
)
def test_what_means_nothing_has_the_exit_code_of_usage(folders, fit, words):
    assert fit(*words).exit_code == 2


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


@pytest.mark.parametrize("words", [["--workers", "-1"], ["--seed", str(2**70)]])
def test_numbers_that_nothing_takes(folders, fit, words):
    result = fit(*words)
    assert result.exit_code == 2
    assert words[0] in result.stderr
    assert not (folders / "out").exists()


def test_a_target_of_one_grey_value_is_told(folders, fit):
    path = folders / "high" / "field0.tif"
    tifffile.imwrite(path, np.full_like(tifffile.imread(path), 7))
    for more in ((), ("--fresh-noise", 0.5)):
        result = fit(*more)
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
        assert result.stderr.startswith("error: ")


def test_a_blur_that_is_none(tmp_path):
    tifffile.imwrite(tmp_path / "v.tif", np.ones((16, 64, 64), np.uint16))
    for blur in ("-1", "nan", "inf"):
        result = run(
            *("fit", "--isotropic", tmp_path / "v.tif", "--axes", "ZYX", "--factor", 4),
            *("--name", "m", "-o", tmp_path / "out", f"--blur={blur}"),
        )
        assert result.exit_code == 2
        assert "--blur of 0 pixels or more" in result.stderr


def test_time_points_of_one_field_do_not_judge_each_other(folders, fit, tmp_path):
    assert fit("--probabilistic").exit_code == 0
    for side in ("low", "high"):
        images = [tifffile.imread(p) for p in sorted((folders / side).glob("*.tif"))]
        (tmp_path / "movie" / side).mkdir(parents=True)
        path = tmp_path / "movie" / side / "a.tif"
        tifffile.imwrite(path, np.stack(images), photometric="minisblack")
    words = ["evaluate", folders / "out" / "mine", "--axes", "TYX", "--recalibrate"]
    for side in ("low", "high"):
        words += [f"--{side}", tmp_path / "movie" / side]
    result = run(*words, "-o", tmp_path / "judged")
    assert result.exit_code == 1
    assert "two or more fields" in result.stderr


def test_a_truth_with_nothing_to_see_is_no_score(folders, fit, tmp_path):
    assert fit().exit_code == 0
    path = folders / "high" / "field2.tif"
    tifffile.imwrite(path, np.full_like(tifffile.imread(path), 7))
    words = ["evaluate", folders / "out" / "mine", "--axes", "YX"]
    for side in ("low", "high"):
        words += [f"--{side}", folders / side]
    result = run(*words, "-o", tmp_path / "judged")
    assert result.exit_code == 1
    assert "field2" in result.stderr
    assert not (tmp_path / "judged").exists()


def test_the_paper_recipe_says_on_what_its_weights_were_chosen(folders, fit):
    assert fit("--recipe", "paper").exit_code == 0
    card = (folders / "out" / "mine" / "README.md").read_text("utf-8")
    assert "weights: of the best validation" in card


def test_weights_of_another_network_are_told(folders, fit):
    assert fit().exit_code == 0
    words = ["run", "tubules_ins1", "--quick", "--init", folders / "out" / "mine"]
    result = run(*words, "-o", folders / "run")
    assert result.exit_code == 1
    assert "2-D, of depth 3" in result.stderr
    assert not (folders / "run" / "data").exists()


def test_a_device_is_asked_for_before_anything_is_drawn(tmp_path):
    result = run(
        "run", "tubules_ins1", "--quick", "-o", tmp_path, "--device", "cuda:99"
    )
    assert result.exit_code == 1
    assert not (tmp_path / "data").exists()


def test_images_that_are_not_where_they_should_be(tmp_path):
    result = run("run", "denoise_widefield", "-o", tmp_path, "--data", tmp_path / "no")
    assert result.exit_code == 1
    assert "w2s_tubulin_noisy_avg1.tif" in result.stderr
    assert isinstance(result.exception, SystemExit)


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
