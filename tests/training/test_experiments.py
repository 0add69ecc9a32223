"""Every experiment: what it draws, what it says, and that it runs from end to end."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import care_runtime
from care_runtime import package, tiff
from care_runtime.engine import Engine
from care_runtime.errors import OptionError
from care_runtime.verify import verify
from care_training import describe, networks, reproduce
from care_training.cli import main
from care_training.compute import Compute
from care_training.experiments import NAMES
from care_training.simulation import Simulation
from tests.training.dots import dots

DRAWN = [name for name in NAMES if not reproduce.experiment(name).needs_data]


def test_all_nine_of_the_paper_are_there():
    assert len(DRAWN) == 9
    result = CliRunner().invoke(main, ["list"])
    assert all(name in result.output for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_reviewed_description_fits_the_network(name):
    found = reproduce.experiment(name)
    spec = reproduce.reviewed_spec(name)
    form = networks.build(found.network).form
    resample = spec.care.resample
    wanted = describe.describe(form, name=name, description="x", resample=resample)
    assert spec.care.outputs == wanted.care.outputs
    assert spec.care.task == wanted.care.task
    for ours, theirs in zip(
        (*spec.inputs, *spec.outputs), (*wanted.inputs, *wanted.outputs), strict=True
    ):
        assert ours.operations == theirs.operations
        assert [(a.id, len(a.channels or ())) for a in ours.axes] == [
            (a.id, len(a.channels or ())) for a in theirs.axes
        ]


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_fits_the_network(name):
    found = reproduce.experiment(name)
    source, form = found.source, networks.build(found.network).form
    condition = source.conditions[-1]
    pair = source.draw(np.random.default_rng(3), condition)
    again = source.draw(np.random.default_rng(3), condition)
    np.testing.assert_array_equal(pair.low, again.low)
    assert pair.low.shape[0] == form.channels_in
    assert pair.high.shape[0] == form.channels_out
    for image in (pair.low, pair.high):
        assert np.isfinite(image).all()
        assert image.max() > image.min()
        assert np.mean(image == image.max()) < 0.01  # not saturated
    if pair.labels is not None:
        assert pair.labels.shape == pair.high.shape[1:]
        assert pair.labels.max() > 1
    resample = reproduce.reviewed_spec(name).care.resample
    if resample is not None:
        depths = pair.low.shape[1], pair.high.shape[1]
        assert depths[1] == round(depths[0] * resample.factor)
        learnt = source.learn(np.random.default_rng(3), condition)
        assert learnt.low.shape[-1] < learnt.high.shape[-1]


def test_a_simulation_keeps_what_it_drew(tmp_path):
    simulation = Simulation(dots, ("dim", "bright"), training=4, validation=2, test=3)
    first = simulation.split(tmp_path)
    files = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")}
    again = simulation.split(tmp_path)
    assert first.digest() == again.digest()
    assert all(file.stat().st_mtime_ns == time for file, time in files.items())
    assert [p.low.min() >= 1 for p in first.training] == [True, False] * 2
    other = simulation.split(tmp_path, seed=1)
    assert other.digest() != first.digest()


def test_tests_are_of_every_condition_and_seen_nowhere_else(tmp_path):
    simulation = Simulation(dots, ("dim", "bright"), training=4, validation=2, test=3)
    tests = simulation.tests(tmp_path)
    assert {name: len(pairs) for name, pairs in tests.items()} == {
        "dim": 3,
        "bright": 3,
    }
    assert all(pair.low.min() >= 1 for pair in tests["dim"])
    split = simulation.split(tmp_path)
    seen = {p.high.tobytes() for p in (*split.training, *split.validation)}
    assert not seen & {p.high.tobytes() for pairs in tests.values() for p in pairs}


def test_many_processes_draw_the_same(tmp_path):
    simulation = Simulation(dots, ("dim",), training=3, validation=1)
    one = simulation.split(tmp_path / "one")
    two = simulation.split(tmp_path / "two", workers=2)
    assert one.digest() == two.digest()


def test_real_images_must_be_given(tmp_path):
    found = reproduce.quick(reproduce.experiment("denoise_widefield"))
    with pytest.raises(OptionError, match="--data"):
        reproduce.reproduce(found, found.recipe, tmp_path, Compute())


def run(name, folder, *options):
    """Run an experiment quickly, and open what it made."""
    command = ["run", name, "--quick", "-o", folder, *options]
    result = CliRunner().invoke(main, [str(part) for part in command])
    assert result.exit_code == 0, result.output
    return package.read_folder(folder / name), result.output


def test_an_experiment_runs_from_end_to_end(tmp_path):
    found, output = run("granules_ins1", tmp_path, "--steps", "3")
    assert verify(found, Engine(found.onnx, "cpu")).passed
    training = found.spec.care.training
    assert training["origin"] == "synthetic"
    assert training["owed"] == "the full run of 20000 steps"
    assert {"input", "network"} < set(training["scores"])
    assert "FRC um" in output
    card = (found.folder / "README.md").read_text("utf-8")
    assert "Trained on **synthetic** data" in card
    assert "chosen on other images" in card
    more, _ = run(
        "granules_ins1", tmp_path / "more", "--steps", "1", "--init", found.folder
    )
    assert "started from" in more.spec.care.training
    assert more.spec.care.training["steps before"] == 3
    assert more.spec.care.training["owed"] == "the full run of 20000 steps"


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_every_experiment_runs_quickly(name, tmp_path):
    found, _ = run(name, tmp_path)
    assert verify(found, Engine(found.onnx, "cpu")).passed
    restorer = care_runtime.load(found, device="cpu")
    sample = tiff.read(found.path(found.spec.input.sample))
    made = restorer(sample)
    assert np.isfinite(made.image).all()
    json.dumps(found.spec.care.training)


@pytest.mark.parametrize("name", ["denoise_planaria", "denoise_tribolium"])
def test_the_target_is_noisy_and_the_brightness_behind_it_is_scored_too(name, tmp_path):
    source = reproduce.experiment(name).source
    (pair,) = replace(source.smaller(), conditions=("C2",)).tests(tmp_path)["C2"]
    (measure,) = (
        m for m in reproduce.experiment(name).measures if m.name == "noise-free dB"
    )
    assert measure.of(pair.clean, pair) > 100
    assert measure.of(pair.high, pair) < 40
    assert measure.of(pair.low, pair) < measure.of(pair.high, pair)
