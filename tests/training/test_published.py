"""The paper's published data: learnt from as they are, and judged by, in miniature."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy import ndimage
from torch.utils.data import DataLoader

from care_runtime import package
from care_runtime.engine import Engine
from care_runtime.errors import FileError, OptionError, TrainingError
from care_runtime.verify import verify
from care_training import evaluate, fit, networks, reproduce, train
from care_training.cli import main
from care_training.compute import Compute
from care_training.datasets import CasePairs, load
from care_training.ensemble import EnsembleConfig
from care_training.experiments import NAMES
from care_training.isotropic import IsotropicConfig
from care_training.product import Judges, degraded, in_torch, planar
from care_training.projection import ProjectionConfig
from care_training.ready import ReadyPatches
from care_training.recipe import get_recipe
from care_training.unet import UNet, UNetConfig
from tests.training.miniature import archive, patches, write

PUBLISHED = [n for n in NAMES if reproduce.experiment(n).published is not None]


def textures(shape, seed):
    """Draw smooth patches, whose last axes are space."""
    sigma = (0, 0, *(1.5,) * (len(shape) - 2))
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, sigma)
    return (smooth / smooth.std()).astype(np.float32)


def planaria(place):
    high = textures((60, 1, 8, 16, 16), 1)
    noise = np.random.default_rng(2).normal(0, 0.3, high.shape).astype(np.float32)
    patches(place / "train_data" / "data_label.npz", high + noise, high)
    for number in range(4):
        for name in ("GT", "condition_1", "condition_2", "condition_3"):
            write(place / "test_data" / name / f"{number}.tif", (8, 40, 40), number)


def flywing(place):
    low = textures((60, 1, 6, 16, 16), 1)
    patches(place / "train_data" / "data_label.npz", low, low.max(axis=2))
    for time in (1, 2, 3):
        for channel in (0, 1, 3):
            name = f"C{channel}_T{time:03}.tif"
            write(place / "test_data" / name, (6, 40, 40), channel)
        write(place / "test_data" / f"proj_C2_T{time:03}.tif", (40, 40), time)


def planes(place, channels=1):
    high = textures((60, channels, 32, 32), 1)
    low = ndimage.gaussian_filter1d(high, 2, axis=-1)
    patches(place / "train_data" / "data_label.npz", low, high, "SCYX")


def liver(place):
    planes(place)
    write(place / "test_data" / "input_subsample_8.tif", (3, 24, 24))
    write(place / "test_data" / "input_subsample_1_groundtruth.tif", (23, 24, 24))


def drosophila(place):
    planes(place)
    write(place / "test_data" / "a.tif", (4, 40, 40))


def granules(place):
    for number, part in enumerate(("channel_tubules", "channel_granules")):
        high = textures((60, 1, 32, 32), number)
        low = ndimage.gaussian_filter(high, (0, 0, 2, 2))
        patches(place / "train_data" / part / "data_label.npz", low, high, "SCYX")


MADE = {
    "denoise_planaria": planaria,
    "project_flywing": flywing,
    "isotropic_liver": liver,
    "isotropic_drosophila": drosophila,
    "tubules_ins1": granules,
}


def little(config):
    """Shrink the network of an experiment."""
    if isinstance(config, EnsembleConfig):
        return replace(config, member=little(config.member))
    if isinstance(config, ProjectionConfig):
        config = replace(config, filters=2, depth=1)
    unet = networks.unet_config(config)
    return networks.with_unet(config, replace(unet, depth=1, filters=2))


@pytest.fixture
def mini(tmp_path, monkeypatch):
    """Make an experiment small, with an archive that lies here."""

    def make(name):
        module = import_module(f"care_training.experiments.{name}")
        found = module.EXPERIMENT
        place = tmp_path / "source" / found.published.archive.stem
        MADE[name](place)
        data = replace(
            found.published,
            archive=archive(place, tmp_path),
            crop=tuple(min(n, 24) for n in found.published.crop),
        )
        small = replace(found, network=little(found.network), published=data)
        monkeypatch.setattr(module, "EXPERIMENT", small)
        return small

    return make


def run(name, folder, *options, steps=2, code=0):
    command = ["run", name, "--source", "published", "-o", folder, "--steps", steps]
    parts = [*command, "--batch", 2, *options]
    result = CliRunner().invoke(main, [str(part) for part in parts])
    assert result.exit_code == code, result.output
    return result.output


# From end to end


@pytest.mark.parametrize(
    ("name", "origin", "conditions", "scored"),
    [
        ("denoise_planaria", "real", ("C1", "C2", "C3"), ["C1 2", "C1 3"]),
        pytest.param(
            *("project_flywing", "real", ("C0", "C1", "C3"), ["C0 T003"]),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("isotropic_liver", "semi-synthetic", ("subsample_8",), None),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("isotropic_drosophila", "semi-synthetic", (), ["patch 00058"]),
            marks=pytest.mark.slow,
        ),
        ("tubules_ins1", "synthetic", (), ["patch 00058", "patch 00059"]),
    ],
)
def test_an_experiment_runs_on_published_data(
    name, origin, conditions, scored, mini, tmp_path, monkeypatch
):
    small = mini(name)
    run(name, tmp_path / "out", "--data", tmp_path / "data")
    found = package.read_folder(tmp_path / "out" / name)
    assert verify(found, Engine(found.onnx, "cpu")).passed
    training = found.spec.care.training
    assert training["origin"] == origin
    assert training["target"] == "percentiles"
    assert training["training patches"] == 57
    assert tuple(training["scores"]) == (conditions or tuple(training["scores"]))
    if scored is not None:
        assert training["held_back"][: len(scored)] == scored
    card = (found.folder / "README.md").read_text("utf-8")
    assert "CC0-1.0" in card
    assert "doi:10.17617/3.FDFZOF" in card
    assert "imulated by care-zoo" not in card
    assert "never saw a real image" not in card
    assert found.spec.care.normalization.percentiles == (2.0, 99.8)
    assert "the paper's" in found.spec.description
    if small.published.baselines:
        assert "chosen on other images (" in card
    else:
        assert "baseline (in brackets)" not in card
    # Once they were fetched, nothing is needed from elsewhere; and the run goes on.
    (tmp_path / small.published.archive.name).unlink()
    monkeypatch.setattr(reproduce, "package", looked_at)
    state = tmp_path / "out" / f"{name}.checkpoint.pt"
    states = {path: path.stat().st_mtime_ns for path in state.parent.glob("*.pt")}
    run(name, tmp_path / "out", "--data", tmp_path / "data")
    assert states
    assert all(path.stat().st_mtime_ns == time for path, time in states.items())


def looked_at(trained, spec, about, judges, folder):
    """Look at all that a package is made of, instead of making it anew."""
    assert about.sample.low.size
    assert all(pair.high.size for pair in judges.pairs())
    return package.read_folder(folder), {}


def test_the_other_half_of_an_archive_is_another_model(mini, tmp_path):
    small = mini("tubules_ins1")
    other = replace(small.published, part="channel_granules")
    splits = [data.split(tmp_path) for data in (small.published, other)]
    assert splits[0].digest() != splits[1].digest()
    assert not np.array_equal(splits[0].training[0].high, splits[1].training[0].high)


def test_a_checkpoint_of_another_recipe_is_refused(mini, tmp_path, monkeypatch):
    mini("tubules_ins1")
    monkeypatch.setattr(reproduce, "package", unpacked)
    run("tubules_ins1", tmp_path / "out", "--quick")
    output = run("tubules_ins1", tmp_path / "out", "--quick", steps=3, code=1)
    assert "belongs to another recipe (it differs in steps)" in output


def unpacked(trained, spec, about, judges, folder):
    """Stand in for a package that is not looked at."""
    return SimpleNamespace(folder=folder), {}


def test_the_paper_recipe_takes_patches_as_they_are(mini, tmp_path):
    split = mini("tubules_ins1").published.split(tmp_path)
    recipe = get_recipe("paper", steps=1, batch=2)
    made = fit.network(UNetConfig(depth=1, filters=2), 0)
    trained = fit.fit(made, split, recipe, Compute(), tmp_path / "state.pt")
    assert trained.facts["recipe"] == "paper"
    assert trained.facts["batch"] == "2 of 32 x 32"
    saved = torch.load(tmp_path / "state.pt", weights_only=True)["recipe"]
    assert (saved["pool"], saved["augment"], saved["fresh_noise"]) == (0, False, 0)


# What is said


def test_all_but_one_are_published():
    assert len(PUBLISHED) == 9
    with pytest.raises(OptionError, match="leave --source out"):
        reproduce.published(reproduce.experiment("denoise_widefield"), None)
    assert "published" in run("denoise_widefield", "out", code=2)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_said_is_of_the_published_data(name, tmp_path):
    simulated = reproduce.experiment(name)
    found = reproduce.published(simulated, tmp_path)
    origins = {"denoise": "real", "project": "real", "isotropic": "semi-synthetic"}
    assert found.facts.origin == origins.get(name.partition("_")[0], "synthetic")
    assert found.facts.licence == "CC0-1.0"
    assert "10.17617/3.FDFZOF" in found.facts.data
    assert found.facts.data != simulated.facts.data
    start, _, end = reproduce.reviewed_spec(name).description.partition("; trained on ")
    assert end
    assert found.description.startswith(f"{start}; trained on the paper's")
    if found.baselines and found.source.read:
        assert found.source.tuned


# Images


def test_stacks_for_tuning_are_never_scored(mini, tmp_path):
    data = mini("denoise_planaria").published
    split, tuning, tests = (
        getattr(data, part)(tmp_path) for part in ("split", "tuning", "tests")
    )
    assert len(split.validation) == 3
    assert list(tests) == ["C1", "C2", "C3"]
    assert [pair.name for pair in tests["C2"]] == ["C2 2", "C2 3"]
    assert {pair.name.partition(" [")[0] for pair in tuning} == {
        f"{condition} {name}" for condition in ("C1", "C2", "C3") for name in "01"
    }
    assert all(pair.low.shape == (1, 8, 24, 24) for pair in tuning)
    assert len(data.smaller().tests(tmp_path)["C1"]) == 1
    few = replace(data, tuned=4)
    with pytest.raises(TrainingError, match=r"more than 4 test stacks of C1"):
        few.tests(tmp_path)


def test_stacks_are_read_when_they_are_used(mini, tmp_path):
    data = mini("denoise_planaria").published
    tests = data.tests(tmp_path)["C1"]
    assert isinstance(tests, CasePairs)
    tests.cases[1].low.path.unlink()
    assert tests[0].low.shape == (1, 8, 40, 40)
    with pytest.raises(FileError):
        tests[1]
    with pytest.raises(IndexError):
        tests[2]


def shrink(place):
    write(place / "condition_2" / "3.tif", (8, 40, 24))


def flatten(place):
    write(place / "GT" / "2.tif", (7, 40, 40))


def cut(place):
    path = place / "condition_3" / "0.tif"
    path.write_bytes(path.read_bytes()[:-100])


def lose(place):
    (place / "GT" / "1.tif").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shrink, r"one field, found planes of \(40, 24\) and \(40, 40\)"),
        (flatten, "one stack, found 8 and 7 planes"),
        (cut, "truncated"),
        (lose, "needs one of the same name"),
    ],
)
def test_bad_test_stacks_are_found_before_training(damage, message, mini, tmp_path):
    data = mini("denoise_planaria").published
    data.split(tmp_path / "data")
    damage(next((tmp_path / "data").rglob("test_data")))
    options = ("--quick", "--data", tmp_path / "data")
    output = run("denoise_planaria", tmp_path / "out", *options, code=1)
    assert re.search(message, output)
    assert not list(tmp_path.rglob("*.pt"))


def test_stacks_of_other_channels_or_conditions_are_found_before(mini, tmp_path):
    data = mini("isotropic_drosophila").published
    data.split(tmp_path)
    data.check(tmp_path, FORM)
    with pytest.raises(TrainingError, match=r"expected 2 channels in .*a\.tif"):
        data.check(tmp_path, replace(FORM, channels_in=2))
    with pytest.raises(TrainingError, match="expected test stacks of C9"):
        replace(data, shown="C9").check(tmp_path, FORM)


def test_patches_that_are_scored_watched_nothing(mini, tmp_path):
    data = mini("tubules_ins1").published
    watching = {pair.name for pair in data.split(tmp_path).validation}
    tuned = {pair.name for pair in data.tuning(tmp_path)}
    scored = {pair.name for pair in data.tests(tmp_path)[""]}
    assert watching == tuned == {"patch 00057"}
    assert not scored & watching
    assert len(replace(data, most=1).tests(tmp_path)[""]) == 1


def test_a_volume_is_compared_with_the_planes_it_was_taken_from(mini, tmp_path):
    (pair,) = mini("isotropic_liver").published.tests(tmp_path)["subsample_8"]
    assert (pair.low.shape[1], pair.high.shape[1]) == (3, 17)  # planes 0, 8 and 16


@pytest.mark.parametrize("name", ["isotropic_liver", "isotropic_drosophila"])
def test_isotropic_networks_are_scored(name, mini, tmp_path):
    found = reproduce.published(mini(name), tmp_path)
    spec = reproduce.reviewed_spec(name)
    network = networks.build(found.network).eval()
    judges = Judges(found.source.tests(tmp_path))
    flat = degraded(judges.pairs())
    assert flat == (name == "isotropic_drosophila")
    restorer = planar(network, spec) if flat else in_torch(network, spec)
    (scores,) = judges.of(restorer).values()
    assert len(scores.each["network"]) == len(scores.images) > 0
    if flat:  # as they are: one pass of the network, without stretching or percentiles
        pair = judges.tests[""][0]
        with torch.no_grad():
            expected = networks.planar(network)(torch.from_numpy(pair.low[None].copy()))
        found = evaluate.restore(restorer, pair)
        np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-5)


def test_a_volume_without_truth_is_shown_but_not_scored(mini, tmp_path):
    data = mini("isotropic_drosophila").published
    sample = data.sample(tmp_path)
    assert sample.low.shape == (1, 4, 24, 24)
    assert sample.truth is None
    assert all(pair.ready for pair in data.tests(tmp_path)[""])


def test_an_archive_without_address_says_what_to_do(tmp_path):
    data = reproduce.experiment("project_flywing").published
    with pytest.raises(
        FileError, match=r"download it by hand.*Projection_Flywing|FDFZ"
    ):
        data.split(tmp_path)


# Batches

FORM = UNet(UNetConfig(depth=1, filters=2)).form
FLAT = replace(FORM, planes=True)


@pytest.fixture
def ready(tmp_path):
    """Some square patches of which no two are alike, in a file."""
    high = textures((20, 1, 8, 8), 3)
    path = patches(tmp_path / "data_label.npz", high + 1, high, "SCYX")
    return load(path, validation=0.1)


def drawn(source, turn, side=1):
    size = len(source.pairs)
    return [source[i][side].tobytes() for i in range(turn * size, (turn + 1) * size)]


def test_every_epoch_is_a_permutation(ready):
    source = ReadyPatches(ready.training, FORM, seed=4)
    all_ = Counter(pair.high.tobytes() for pair in ready.training)
    turns = [drawn(source, turn) for turn in range(3)]
    assert all(Counter(turn) == all_ for turn in turns)
    assert turns[0] != turns[1] != turns[2]
    assert turns[0] != drawn(ReadyPatches(ready.training, FORM, seed=5), 0)


@pytest.mark.parametrize("form", [FORM, FLAT])
def test_a_patch_is_a_function_of_its_number(ready, form):
    one, two = (
        ReadyPatches(ready.training, form, seed=1, augment=True) for _ in range(2)
    )
    for number in (40, 3, 17):
        for a, b in zip(one[number], two[number], strict=True):
            np.testing.assert_array_equal(a, b)
    low, high = one.batch(2, 5)
    assert low.dtype == high.dtype == np.float32
    assert low.shape == high.shape == (5, 1, 8, 8)
    np.testing.assert_array_equal(low[3], two[13][0])
    np.testing.assert_allclose(low, high + 1, atol=1e-6)  # one place, turned alike


def test_patches_are_not_normalized_again(ready):
    low, high = ReadyPatches(ready.training, FORM).batch(0, 18)
    assert (
        np.sort(low.ravel()).tolist()
        == np.sort(np.stack([pair.low for pair in ready.training]).ravel()).tolist()
    )
    assert low.flags.writeable
    assert high.flags.writeable


@pytest.mark.parametrize(("form", "symmetries"), [(FORM, 8), (FLAT, 4)])
def test_patches_are_flipped_and_turned(ready, form, symmetries):
    source = ReadyPatches(ready.training[:1], form, augment=True)
    assert len({source[i][1].tobytes() for i in range(64)}) == symmetries


def test_planes_keep_the_axis_they_were_degraded_along(tmp_path):
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None], (3, 1, 8, 8))
    path = patches(tmp_path / "data_label.npz", ramp, ramp, "SCYX")
    source = ReadyPatches(load(path, validation=0).training, FLAT, augment=True)
    low, _ = source.batch(0, 16)
    assert (low.std(axis=3) == 0).all()


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_draw_the_same(ready, workers):
    source = ReadyPatches(ready.training, FORM, augment=True)
    batches = DataLoader(
        train._Batches(source, 4, 2, 5), batch_size=None, num_workers=workers
    )
    for step, (low, high) in enumerate(batches, start=2):
        expected = source.batch(step, 4)
        np.testing.assert_array_equal(low, expected[0])
        np.testing.assert_array_equal(high, expected[1])


def test_patches_are_sent_to_processes_by_their_place(ready):
    source = ReadyPatches(ready.training, FORM, augment=True)
    packed = pickle.dumps(source)
    assert len(packed) < 2000
    np.testing.assert_array_equal(pickle.loads(packed)[7][0], source[7][0])


class Stopped(Exception):
    """Raised to interrupt a training."""


def test_an_interrupted_training_ends_with_the_same_weights(ready, tmp_path):
    def stop(state):
        if state.step == 3:
            raise Stopped

    def weights(checkpoint, progress=None):
        made = fit.network(UNetConfig(depth=1, filters=2), 0)
        fit.fit(made, ready, recipe, Compute(), checkpoint, progress)
        return made.state_dict()

    recipe = get_recipe("default", steps=6, batch=4, validate_every=2)
    expected = weights(tmp_path / "whole.pt")
    with pytest.raises(Stopped):
        weights(tmp_path / "part.pt", stop)
    found = weights(tmp_path / "part.pt")
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_split_is_known_without_its_pixels(ready, tmp_path):
    path = ready.training.path
    copy = tmp_path / "elsewhere" / path.name
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    assert load(copy, validation=0.1).digest() == ready.digest()
    assert load(copy, validation=0.2).digest() != ready.digest()
    with np.load(path) as arrays:
        low, high = arrays["X"], arrays["Y"].copy()
    high[0, 0, 0, 0] += 1
    patches(copy, low, high, "SCYX")
    assert load(copy, validation=0.1).digest() != ready.digest()


def test_isotropic_networks_learn_from_planes(ready):
    config = IsotropicConfig(UNetConfig(depth=1, filters=2))
    form = networks.build(config).form
    recipe = get_recipe("default", batch=3)
    learning, watching = fit.batches(form, ready, recipe)
    assert learning.batch(0, 3)[0].shape == (3, 1, 8, 8)
    assert learning.planes
    assert learning.augment
    assert not watching.augment


@pytest.mark.parametrize(
    "config",
    [
        UNetConfig(dims=3, depth=1, filters=2),
        UNetConfig(depth=1, filters=2, channels_in=2, channels_out=2),
        UNetConfig(depth=4, filters=2),
    ],
    ids=["stacks", "two channels", "too deep"],
)
def test_patches_of_another_network_are_refused(ready, config):
    with pytest.raises(TrainingError, match=r"found \(1, 8, 8\) and \(1, 8, 8\)"):
        ReadyPatches(ready.training, UNet(config).form)


def test_no_patches_are_refused(ready):
    with pytest.raises(TrainingError, match="found none"):
        ReadyPatches(ready.training[:0], FORM)
