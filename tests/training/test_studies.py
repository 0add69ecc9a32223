"""Studies: laws of their parts, and that each is made from end to end."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import ndimage

from care_runtime.errors import (
    ImageError,
    ModelNotFoundError,
    OptionError,
    TrainingError,
)
from care_training import networks, reproduce, studies
from care_training.baselines import GAUSSIAN
from care_training.cli import main
from care_training.evaluate import INPUT, NETWORK
from care_training.experiments.source import Recorded
from care_training.isotropic import IsotropicConfig
from care_training.metrics import tracking
from care_training.pairs import Pair, Split
from care_training.report import resolved
from care_training.report.chart import TRUTH
from care_training.report.document import Document
from care_training.report.gather import Seen
from care_training.report.view import View
from care_training.simulate import Tissue, epithelium_movie
from care_training.simulation import Simulation
from care_training.studies import factors, figure, outcome, section
from care_training.studies import patches as study_of_patches
from care_training.studies import tracking as study_of_tracks
from care_training.unet import UNetConfig

from .conftest import make_pair

TINY = UNetConfig(depth=1, kernel=3, filters=4)


def movie(frames: int = 3) -> list[np.ndarray]:
    """Four square cells that move to the right, a pixel a frame."""
    found = []
    for t in range(frames):
        labels = np.zeros((24, 32), np.int32)
        for n in range(4):
            y, x = 12 * (n // 2) + 1, 12 * (n % 2) + 1 + t
            labels[y : y + 10, x : x + 10] = n + 1
        found.append(labels)
    return found


def links(frames: int = 3, cells: int = 4) -> list[tuple[int, int, int]]:
    return [(t, c, c) for t in range(frames - 1) for c in range(1, cells + 1)]


def test_a_movie_that_is_followed_without_a_mistake_scores_one():
    found = tracking(movie(), movie(), links())
    assert (found.true, found.found, found.correct) == (8, 8, 8)
    assert found.recall == found.precision == found.tra == 1
    # Names of segments do not matter, and may differ from frame to frame.
    other = [np.where(f > 0, 5 + 3 * t - f, 0) for t, f in enumerate(movie())]
    renamed = [(t, 5 + 3 * t - a, 8 + 3 * t - b) for t, a, b in links()]
    assert tracking(other, movie(), renamed).tra == 1


def test_mistakes_of_tracks_cost_what_the_challenge_says():
    worst = 12 * 10 + 8 * 1.5
    swapped = [(0, 1, 2), (0, 2, 1), *links()[2:]]
    found = tracking(movie(), movie(), swapped)
    assert found.correct == 6
    assert found.tra == pytest.approx(1 - 2 * (1 + 1.5) / worst)
    lost = movie()
    lost[1][lost[1] == 4] = 0
    found = tracking(lost, movie(), [link for link in links() if link[1] != 4])
    assert (found.recall, found.precision) == (0.75, 1)
    assert found.tra == pytest.approx(1 - (10 + 2 * 1.5) / worst)
    merged = movie()
    merged[1][merged[1] == 2] = 1
    found = tracking(merged, movie(), [link for link in links() if link[1] != 2])
    assert found.correct == 4  # one segment of two cells is that of neither
    assert found.tra == pytest.approx(1 - (5 + 4 * 1.5) / worst)
    extra = [np.pad(f, ((0, 4), (0, 0)), constant_values=9) for f in movie()]
    truth = [np.pad(f, ((0, 4), (0, 0))) for f in movie()]
    assert tracking(extra, truth, links()).tra == pytest.approx(1 - 3 / worst)
    nothing = [np.zeros_like(f) for f in movie()]
    found = tracking(nothing, movie(), [])
    assert (found.tra, found.precision, found.recall) == (0, 0, 0)


def test_tracks_need_frames_that_belong_together():
    with pytest.raises(ImageError, match="as many frames"):
        tracking(movie(2), movie(3), [])
    with pytest.raises(ImageError, match="in two frames"):
        tracking(movie(1), movie(1), [])


def test_cells_of_a_movie_move_smoothly_and_keep_their_labels():
    shape, tissue = (12, 64, 64), Tissue(voxel_size=(1.0, 0.32, 0.32))
    rng = np.random.default_rng(3)
    frames = list(epithelium_movie(shape, rng, 4, tissue))
    again = epithelium_movie(shape, np.random.default_rng(3), 4, tissue)
    assert np.array_equal(frames[-1].density, list(again)[-1].density)
    centres = []
    for frame in frames:
        cells = np.flatnonzero(np.bincount(frame.labels.ravel()) > 100)
        places = ndimage.center_of_mass(frame.labels > 0, frame.labels, cells)
        centres.append(dict(zip(cells.tolist(), places, strict=True)))
    steps = [
        np.subtract(b[c], a[c]) * 0.32
        for a, b in pairwise(centres)
        for c in a.keys() & b.keys()
    ]
    apart = np.linalg.norm(steps, axis=1)
    assert len(steps) > 20
    assert 0.3 < apart.mean() < 0.9
    assert np.linalg.norm(np.mean(steps, axis=0)) > 0.5 * apart.mean()  # one direction
    still = epithelium_movie(
        shape, np.random.default_rng(3), 2, tissue, flow=0, wander=0
    )
    one, two = still
    assert np.array_equal(one.labels, two.labels)
    assert np.array_equal(one.density, two.density)


@pytest.fixture
def entries():
    def entry(value, method, seed, psnr, part=""):
        name = f"N {value}" if value else ""
        scores = {"NRMSE": (psnr, round(psnr + 0.02, 4)), "SSIM": (0.5, 0.7)}
        return outcome.Entry(name, value, part, method, seed, scores)

    return (
        entry(None, INPUT, None, 0.3),
        entry(10.0, NETWORK, 0, 0.1),
        entry(10.0, NETWORK, 1, 0.2),
        entry(20.0, NETWORK, 0, 0.05),
    )


@pytest.fixture
def result(entries):
    return outcome.Outcome(
        *("patches", "mine", "S-Fig. 6", "Some <text>.", "patches", "synthetic"),
        *("2 images", "1 image", "recipe default, 6 steps", (0, 1)),
        *({"NRMSE": "NRMSE (lower is better)"}, entries),
    )


def test_an_outcome_is_read_back_as_it_was_written(tmp_path, result, entries):
    file = outcome.write(result, tmp_path)
    assert outcome.read(file) == result
    missing = replace(entries[0], scores={"FRC": (float("inf"), 1.0)})
    outcome.write(replace(result, entries=(missing,)), tmp_path)
    found = outcome.read(file).entries[0].scores["FRC"]
    assert np.isnan(found[0])
    assert found[1] == 1
    file.write_text('{"entries": [1]}')
    with pytest.raises(TrainingError, match="again, or delete"):
        outcome.read(file)


def test_studies_of_other_experiments_are_left_out(tmp_path, result):
    one, two = (outcome.folder(tmp_path / name / "mine") for name in "ab")
    outcome.write(result, one)
    outcome.write(replace(result, study="factors", experiment="other"), one)
    assert outcome.found("mine", one, two, tmp_path / "none") == [result]
    newer = replace(result, tests="3 images")
    outcome.write(newer, two)
    assert outcome.found("mine", one, two) == [newer]


def test_a_table_says_mean_and_spread_over_seeds(result):
    heads, rows = figure.table(result)
    assert heads == ["variant", "method", "NRMSE", "SSIM"]
    assert rows[0] == ["", INPUT, "0.3100", "0.600"]
    # 0.11 and 0.21 are the means of two seeds: their deviation as a sample.
    assert rows[1] == ["N 10.0", NETWORK, "0.1600 ± 0.0707", "0.600 ± 0.000"]
    assert rows[2][2] == "0.0600"


def test_a_study_is_shown_in_a_report(result):
    out = Document()
    section.add(out, [])
    assert not out.parts
    by_name = replace(result, study="channels", axis="")
    section.add(out, [result, by_name])
    text = "".join(out.parts)
    assert "Some &lt;text&gt;" in text
    assert "Synthetic images: 2 images" in text
    assert "± standard deviation over seeds" in text
    assert '<tr class="strong"><td>N 10.0</td><td class="words">network</td>' in text
    assert set(out.files) == {"study_patches_nrmse", "study_channels_nrmse"}
    assert "not known" in section.told(replace(result, seeds=(0,)))


def test_an_invented_structure_is_seen_without_the_truth():
    rng = np.random.default_rng(0)
    truth = np.zeros((1, 64, 64))
    truth[0, ::8] = 1
    seen = ndimage.gaussian_filter(truth, (0, 1.5, 1.5))
    seen = seen + 0.01 * rng.standard_normal(seen.shape)
    invented = truth.copy()
    invented[0, 18:32, 36] = 1
    view = View("plane", (slice(0, 64), slice(0, 64)))
    found = resolved.resolved({INPUT: seen, NETWORK: invented}, truth, view)
    assert set(found) == {NETWORK, TRUTH}
    assert found[NETWORK].rse > 1.5 * found[TRUTH].rse
    assert found[TRUTH].rsp > found[NETWORK].rsp
    place = np.unravel_index(found[NETWORK].crop.argmax(), (64, 64))
    assert 16 <= place[0] < 34
    assert abs(place[1] - 36) < 3
    crops = {"plane": {INPUT: seen.astype(np.float32)}}
    image = Seen("", "one", 30.0, (view,), crops, {}, {}, found)
    row = resolved.row(image, None)
    assert [tile.label.split(":")[0] for tile in row.tiles] == [INPUT, NETWORK, TRUTH]
    assert resolved.over([image])[TRUTH]["RSP"] == [found[TRUTH].rsp]


def test_few_patches_are_the_first_of_many(pairs):
    split, form = Split(pairs[:3], pairs[3:]), networks.build(TINY).form
    recipe = replace(reproduce.experiment("tubules_hela").recipe, patch=(32, 32))
    few, many, other = (
        study_of_patches.cut(split, form, recipe, count, seed)
        for count, seed in ((4, 0), (7, 0), (4, 1))
    )
    assert [len(found.training) for found in (few, many)] == [4, 7]
    for a, b in zip(few.training, many.training, strict=False):
        assert np.array_equal(a.low, b.low)
        assert np.array_equal(a.high, b.high)
    assert not np.array_equal(few.training[0].low, other.training[0].low)
    assert few.ready
    assert few.digest() != many.digest()


def read_pairs(folder):
    return [make_pair(f"image{i}", (64, 64), i) for i in range(4)]


@pytest.fixture
def setting(tmp_path):
    found = replace(
        reproduce.experiment("denoise_widefield"),
        source=Recorded(read_pairs, ("image3",)),
        network=TINY,
        baselines=(GAUSSIAN,),
        needs_data=False,
    )
    return studies.Setting(
        found, tmp_path, steps=4, batch=2, patch=(32, 32), quick=True
    )


def test_the_study_of_patches(setting):
    said: list[str] = []
    result, file = studies.conduct("patches", setting, said.append)
    assert outcome.read(file).to_dict() == result.to_dict()
    assert "4 patches, seed 1: training" in said
    assert [e.seed for e in result.entries] == [None, None, 0, 1, 0, 1]
    assert result.entries[-1].value == 8  # 4 steps of 2 patches
    assert "training images" in result.tuning  # never those that are scored
    assert {t["steps"] for t in result.trainings} == {4}
    assert (file.parent / "study_patches_ssim.png").is_file()
    # Checkpoints are complete: the same again, and nothing is learnt anew.
    again, _ = studies.conduct("patches", setting)
    assert again.entries == result.entries


def channels(rng: np.random.Generator, condition: str) -> Pair:
    high = ndimage.gaussian_filter(rng.random((2, 32, 32, 32)), (0, 2, 2, 2))
    low = high.reshape(2, 8, 4, 32, 32).mean(2)
    return Pair("", low.astype(np.float32), high.astype(np.float32))


def planes(rng: np.random.Generator, condition: str) -> Pair:
    pair = channels(rng, condition)
    return Pair("", pair.high[..., ::4], pair.high)


def test_the_study_of_channels(tmp_path):
    found = replace(
        reproduce.experiment("isotropic_retina"),
        source=Simulation(channels, learn=planes, training=2, validation=1, test=1),
        network=IsotropicConfig(replace(TINY, channels_in=2, channels_out=2)),
        baselines=(),
        measures=(),
    )
    setting = studies.Setting(
        found, tmp_path, steps=3, batch=2, patch=(1, 16, 16), seeds=(0,)
    )
    result, _ = studies.conduct("channels", setting)
    places = [(e.variant, e.part, e.method) for e in result.entries if e.seed == 0]
    parts = ("channel 0", "channel 1")
    assert places == [(v, p, NETWORK) for v in ("joint", "single") for p in parts]
    assert len(result.trainings) == 3
    assert len(figure.plots(result)) == 4


def test_the_study_of_factors(tmp_path, monkeypatch):
    monkeypatch.setattr(factors, "SIZE", 32)
    monkeypatch.setattr(factors, "QUICK", (2.0, 4.0))
    found = reproduce.quick(reproduce.experiment("isotropic_liver"))
    source = replace(found.source, training=1, validation=1, test=1)
    found = replace(found, source=source, network=IsotropicConfig(TINY))
    setting = studies.Setting(
        found, tmp_path, steps=2, batch=1, patch=(1, 32, 32), seeds=(0,), quick=True
    )
    result, _ = studies.conduct("factors", setting)
    lines = {
        m: [e.value for e in result.entries if e.method == m]
        for m in (INPUT, "spline interpolation", NETWORK)
    }
    assert set(map(tuple, lines.values())) == {(2.0, 4.0)}
    one, two = (
        factors.volume(np.random.default_rng(1), factor) for factor in ("2", "4")
    )
    assert np.array_equal(one.high, two.high)  # the scene is the same
    assert (len(one.low[0]), len(two.low[0])) == (16, 8)


def test_centres_are_linked_by_a_kept_tracker():
    pytest.importorskip("laptrack")
    found = study_of_tracks.linked(movie(), 4)
    assert sorted(found) == sorted(links())
    assert study_of_tracks.linked(movie(), 0.5) == []


@pytest.mark.slow
def test_the_study_of_tracks(tmp_path):
    pytest.importorskip("laptrack")
    name = "project_flywing"
    found = reproduce.quick(reproduce.experiment(name))
    setting = studies.Setting(found, tmp_path, seeds=(0,), quick=True)
    result, _ = studies.conduct("tracking", setting)
    means = {e.method: e.mean("links") for e in result.entries}
    assert means["truth"] >= means[NETWORK] > means["maximum projection"]


def test_what_does_not_suit_is_refused(setting, tmp_path):
    with pytest.raises(ModelNotFoundError, match="patches, factors"):
        studies.study("weather")
    for name in ("factors", "channels", "tracking"):
        with pytest.raises(OptionError, match="expected an experiment"):
            studies.conduct(name, setting)
    with pytest.raises(OptionError, match="each once"):
        replace(setting, seeds=(1, 1))
    with pytest.raises(OptionError, match="1 or more"):
        replace(setting, images=0)
    for wrong in ({"steps": 0}, {"batch": 0}, {"patch": (0, 0)}):
        with pytest.raises(OptionError, match="1"):
            studies.conduct("patches", replace(setting, **wrong))
    bare = studies.Setting(reproduce.experiment("denoise_widefield"), tmp_path)
    with pytest.raises(OptionError, match="--data"):
        studies.conduct("patches", bare)
    with pytest.raises(OptionError, match="expected an experiment"):
        studies.conduct("factors", bare)


def test_the_command_line_tells_the_table(setting, monkeypatch):
    monkeypatch.setattr(reproduce, "experiment", lambda name: setting.experiment)
    words = ["study", "denoise_widefield", "patches", "--quick", "--seeds", "0"]
    words += ["--patch", "32,32", "-o", str(setting.out)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "new patches" in result.stdout
    file = setting.out / "denoise_widefield.studies" / "patches.json"
    assert json.loads(file.read_text("utf-8"))["origin"] == "real"
    wrong = CliRunner().invoke(main, [*words[:5], "one", *words[6:]])
    assert wrong.exit_code != 0
    assert "whole numbers" in wrong.output
