"""Joins: a tile's kept pixels are the same where its halo was left out."""

import json

import numpy as np
import onnx
import pytest
import torch

from care_runtime import trim, vino
from care_runtime.engine import Engine
from care_runtime.errors import EngineError
from care_runtime.restore import Restorer
from care_runtime.tried import Tried
from care_training import describe, graph, networks
from care_training.ensemble import EnsembleConfig, MeanOnly
from care_training.isotropic import IsotropicConfig
from care_training.unet import UNetConfig

CONFIGS = {
    "stacks": UNetConfig(dims=3, filters=4),
    "deep": UNetConfig(dims=3, filters=2, depth=3, channels_out=2),
    "wide kernel": UNetConfig(dims=3, filters=2, kernel=5, depth=1),
    "likelihood": UNetConfig(dims=3, filters=4, probabilistic=True),
    "relu": UNetConfig(dims=3, filters=3, last_activation="relu"),
}


def build(config):
    network = networks.build(config, 1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return network


def export(network, folder):
    spec = describe.describe(network.form, name="made", description="For a test.")
    spec = describe.complete(spec, network, {})
    graph.export(network, spec, folder / "model.onnx")
    graph.embed(spec, folder / "model.onnx")
    return spec, folder / "model.onnx"


def engines():
    made = [lambda source: Engine(source, "cpu", threads=1)]
    if vino.installed():
        made.append(lambda source: vino.VinoEngine(source, threads=1))
    return made


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_kept_pixels_are_exactly_those_of_the_whole_tile(config, tmp_path):
    network = build(config)
    _, path = export(network, tmp_path)
    content, trims = trim.prepared(path)
    rng = np.random.default_rng(2)
    grid = config.multiple
    sizes = [(6 + 2 * i) * grid for i in range(config.dims)]
    x = rng.random((1, 1, *sizes), dtype=np.float32)
    for make in engines():
        whole, cut = make(path), trim.engine(make(content), trims)
        expected = whole(x)
        assert cut.inputs == whole.inputs == ("input",)
        for _ in range(6):
            ends = [sorted(rng.choice(n + 1, 2, replace=False)) for n in sizes]
            keep = [(int(a), int(b)) for a, b in ends]
            at = (..., *(slice(a, b) for a, b in keep))
            for y, z in zip(cut(x, keep=keep), expected, strict=True):
                assert y.shape == z.shape
                np.testing.assert_array_equal(y[at], z[at])
        for y, z in zip(cut(x), expected, strict=True):
            np.testing.assert_array_equal(y, z)


def test_less_is_computed(tmp_path):
    """What lies outside of what is kept is left out but for a rim."""
    _, path = export(build(UNetConfig(dims=3, filters=2)), tmp_path)
    content, trims = trim.prepared(path)
    y = trim.engine(Engine(content, "cpu", threads=1), trims)
    x = np.ones((1, 1, 32, 64, 64), np.float32)
    (found,) = y(x, keep=[(0, 32), (20, 40), (21, 43)])
    planes, rows, columns = np.nonzero(found[0, 0])
    assert (planes.min(), planes.max() + 1) == (0, 32)
    assert (rows.min(), rows.max() + 1) == (18, 42)
    assert (columns.min(), columns.max() + 1) == (18, 46)


def test_tiles_are_the_whole_image(tmp_path):
    network = build(UNetConfig(dims=3, filters=3, depth=1))
    spec, path = export(network, tmp_path)
    content, trims = trim.prepared(path)
    image = np.random.default_rng(3).random((31, 61, 59)).astype(np.float32)
    for make in engines():
        whole = Restorer(spec, make(path))(image, "ZYX", tile="whole").image
        cut = trim.engine(make(content), trims)
        # As little as ONNX Runtime adds in the same order: its tiles are of 44 pixels.
        tiled = Restorer(spec, cut)(image, "ZYX", tile={"y": 16, "x": 12}).image
        np.testing.assert_array_equal(tiled, whole)


def test_the_mean_of_an_ensemble_is_cut_in_every_member(tmp_path):
    config = EnsembleConfig(UNetConfig(dims=3, filters=3, probabilistic=True), 3)
    ensemble = build(config)
    spec = describe.describe(ensemble.form, name="made", description="For a test.")
    spec = describe.complete(spec, ensemble, {}).only(["mean"])
    graph.export(MeanOnly(ensemble), spec, tmp_path / "mean.onnx")
    content, trims = trim.prepared(tmp_path / "mean.onnx")
    assert [len(ladder) for ladder in trims.ladders] == [2, 2, 2]
    x = np.random.default_rng(0).random((1, 1, 8, 96, 96), dtype=np.float32)
    whole = Engine(tmp_path / "mean.onnx", "cpu", threads=1)
    cut = trim.engine(Engine(content, "cpu", threads=1), trims)
    (found,), (expected,) = cut(x, keep=[(0, 8), (30, 66), (28, 70)]), whole(x)
    np.testing.assert_array_equal(found[..., 30:66, 28:70], expected[..., 30:66, 28:70])


@pytest.mark.parametrize("kind", [UNetConfig, IsotropicConfig])
def test_planes_say_nothing(kind, tmp_path):
    config = UNetConfig(kernel=3, filters=2, depth=1)
    config = config if kind is UNetConfig else IsotropicConfig(config)
    assert trim.prepared(export(build(config), tmp_path)[1]) is None


@pytest.fixture(scope="module")
def shallow(tmp_path_factory):
    network = build(UNetConfig(dims=3, depth=1, filters=2))
    return export(network, tmp_path_factory.mktemp("shallow"))[1]


@pytest.mark.parametrize(
    "words",
    [
        "nothing",
        "[]",
        "[" * 100_000,
        '{"space": 2, "reach": 4}',
        '{"space": 2, "reach": 4, "ladders": [[["a"]]], "added": ""}',
        '{"space": 2, "reach": 4, "ladders": [[["a", "b"]]], "added": ""}',
        '{"space": 2, "reach": 4, "ladders": [[["a", "b"]]], "added": "c"}',
        '{"space": 3, "reach": -4, "ladders": [[["relu_3", "relu_1"]]], "added": ""}',
        '{"space": 9, "reach": 4, "ladders": [[["relu_3", "relu_1"]]], "added": ""}',
        '{"space": 2, "reach": 4, "ladders": [], "added": ""}',
    ],
)
def test_a_file_that_says_what_cannot_be_is_refused(words, shallow, tmp_path):
    model, path = onnx.load(str(shallow)), tmp_path / "model.onnx"
    (said,) = (m for m in model.metadata_props if m.key == trim.KEY)
    assert json.loads(said.value)["ladders"] == [[["relu_3", "relu_1"]]]
    said.value = words
    onnx.save(model, str(path))
    with pytest.raises(EngineError, match=r"expected .* export it again"):
        trim.prepared(path)


def test_an_engine_that_tries_tiles_first_passes_on_what_is_kept(shallow, monkeypatch):
    content, trims = trim.prepared(shallow)
    cut = trim.engine(Engine(content, "cpu", threads=1), trims)
    monkeypatch.setattr(Tried, "require", lambda self, shapes: None)
    guarded = Tried(cut, "made", shallow)
    assert guarded.trims
    x = np.random.default_rng(0).random((1, 1, 8, 32, 40), dtype=np.float32)
    keep = [(0, 8), (8, 20), (10, 30)]
    (found,), (expected,) = guarded(x, keep=keep), cut(x, keep=keep)
    np.testing.assert_array_equal(found, expected)
