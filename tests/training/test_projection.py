from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from care_runtime.errors import TrainingError
from care_training import checkpoint, export, networks
from care_training.checkpoint import State
from care_training.describe import describe
from care_training.ensemble import EnsembleConfig
from care_training.export import Contents
from care_training.isotropic import Isotropic, IsotropicConfig
from care_training.projection import Projection, ProjectionConfig
from care_training.recipe import get_recipe
from care_training.sample import Sample
from care_training.unet import UNet, UNetConfig, count_parameters


def test_parameters_are_those_of_csbdeep():
    deeper = ProjectionConfig(UNetConfig(kernel=3, depth=3))
    probabilistic = ProjectionConfig(UNetConfig(kernel=3, probabilistic=True))
    assert count_parameters(Projection(ProjectionConfig())) == 346_970
    assert count_parameters(Projection(deeper)) == 1_379_802
    assert count_parameters(Projection(probabilistic)) == 347_003
    assert count_parameters(UNet(UNetConfig(probabilistic=True))) == 923_010


def test_the_weights_of_the_planes_add_to_one():
    network = Projection(ProjectionConfig(filters=2))
    weights = network.weights(torch.randn(2, 1, 7, 16, 32))
    assert weights.shape == (2, 1, 7, 16, 32)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(2, 1, 16, 32))


def test_planes_that_are_alike_are_their_own_projection():
    network = Projection(ProjectionConfig(filters=2))
    torch.nn.init.zeros_(network.unet.head.weight)  # the 2-D part is the identity
    plane = torch.randn(1, 1, 1, 16, 16)
    found = network(plane.expand(1, 1, 5, 16, 16))
    torch.testing.assert_close(found, plane[:, :, 0])


@pytest.mark.parametrize("channels", [1, 2])
def test_both_views_of_the_identity_are_the_image(channels):
    config = UNetConfig(filters=2, channels_in=channels, channels_out=channels)
    network = Isotropic(IsotropicConfig(config))
    torch.nn.init.zeros_(network.unet.head.weight)
    x = torch.rand(2, channels, 8, 12, 16)
    torch.testing.assert_close(network(x), x)


def test_a_scale_is_never_below_its_floor():
    network = Isotropic(IsotropicConfig(UNetConfig(filters=2, probabilistic=True)))
    mean, scale = network(torch.randn(1, 1, 8, 8, 8))
    assert mean.shape == scale.shape == (1, 1, 8, 8, 8)
    assert mean.min() >= 0
    assert scale.min() >= 1e-3


def test_configuration_round_trip():
    config = ProjectionConfig(UNetConfig(kernel=3, depth=3), pool=(1, 4, 4))
    assert ProjectionConfig.from_dict(config.to_dict()) == config


def test_planes_that_tie_do_not_refuse_an_export(tmp_path):
    """As in what registration left black: which of them is the greatest is rounding."""
    torch.manual_seed(0)
    config = UNetConfig(depth=1, kernel=3, filters=2)
    network = Projection(ProjectionConfig(config, filters=2, height="argmax"))
    form, rng = network.form, np.random.default_rng(0)
    spec = describe(form, name="heights", description="A test.")
    low = rng.poisson(40, (1, 9, 64, 64)).astype(np.uint16)
    low[..., :3] = 0
    sample = Sample(low, low.max(axis=1))
    export.export(network, spec, lambda _: Contents(sample, "#"), tmp_path / "p")
    heights = np.arange(64.0, dtype=np.float32).reshape(8, 8)
    assert not export._tied(np.maximum(heights, 1), heights)  # one in 64
    many = np.tile(heights, (20, 20))
    few = many.copy()
    few[:2, :2] = 7
    assert export._tied(few, many)
    assert not export._tied(few + 0.5, many + 0.5)


def test_a_height_map_may_be_wished_otherwise_after_training(tmp_path):
    config = ProjectionConfig(
        UNetConfig(depth=1, filters=2), filters=2, height="argmax"
    )
    recipe, path = get_recipe("default", patch=(16, 16)), tmp_path / "c.pt"
    states = []
    for each in (config, replace(config, height="expectation")):
        network = Projection(each)
        optimizer = torch.optim.Adam(network.parameters())
        states.append(State(network, deepcopy(network), optimizer))
    states[0].step = 7
    checkpoint.save(path, states[0], recipe, "data", "fp32")
    checkpoint.load(path, states[1], recipe, "data", "fp32")
    assert states[1].step == 7
    wider = Projection(replace(config, filters=3))
    other = State(wider, wider, torch.optim.Adam(wider.parameters()))
    with pytest.raises(TrainingError, match="filters"):
        checkpoint.load(path, other, recipe, "data", "fp32")


@pytest.mark.parametrize(
    "config",
    [
        UNetConfig(dims=3),
        ProjectionConfig(height="expectation"),
        IsotropicConfig(UNetConfig(), gains=(1.5,), factor=4.0),
        EnsembleConfig(UNetConfig(probabilistic=True), 3),
    ],
)
def test_the_form_of_a_network_needs_no_weights(config):
    assert networks.form(config) == networks.build(config).form
    deep = UNetConfig(depth=14)  # of which the weights fill no memory
    assert networks.form(deep).grid == {"y": 2**14, "x": 2**14}
