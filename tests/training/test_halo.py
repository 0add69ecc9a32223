import pytest
import torch

from care_training import networks
from care_training.ensemble import EnsembleConfig
from care_training.halo import measure
from care_training.isotropic import Isotropic, IsotropicConfig
from care_training.projection import Projection, ProjectionConfig
from care_training.unet import UNet, UNetConfig


# The margins that CSBDeep's networks need at seams on the pooling grid.
@pytest.mark.parametrize(
    ("depth", "kernel", "margin"),
    [(2, 3, 22), (2, 5, 40), (3, 3, 46), (3, 5, 92), (4, 3, 94)],
)
def test_halo_of_the_papers_networks(depth, kernel, margin):
    network = UNet(UNetConfig(depth=depth, kernel=kernel, filters=4))
    assert measure(network, network.form) == {"y": margin, "x": margin}


def test_halo_in_three_dimensions():
    network = UNet(UNetConfig(dims=3, filters=4))
    assert measure(network, network.form) == {"z": 22, "y": 22, "x": 22}


def test_halo_does_not_depend_on_the_weights():
    network = UNet(UNetConfig(depth=1, kernel=3, filters=4))
    torch.nn.init.zeros_(network.middle[0].weight)
    assert measure(network, network.form)["y"] > 0


def test_measuring_leaves_the_network_alone():
    network = UNet(UNetConfig(depth=1, kernel=3, filters=4))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    measure(network, network.form)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


# CSBDeep's own table is too small for the last two.
@pytest.mark.parametrize(
    ("depth", "convolutions", "on_grid"),
    [(2, 1, 80), (3, 1, 96), (4, 1, 144), (2, 2, 128)],
)
def test_halo_of_projections(depth, convolutions, on_grid):
    unet = UNetConfig(kernel=3, depth=depth, filters=4)
    network = Projection(ProjectionConfig(unet, convolutions=convolutions, filters=2))
    found = measure(network, network.form)
    assert found["z"] == 0  # Z stays whole
    assert -(-found["y"] // 16) * 16 == -(-found["x"] // 16) * 16 == on_grid


def test_halo_of_both_views():
    network = Isotropic(IsotropicConfig(UNetConfig(depth=1, kernel=3, filters=4)))
    plane = measure(network.unet, network.unet.form)["y"]
    assert measure(network, network.form) == dict.fromkeys("zyx", plane)


def test_an_ensemble_looks_as_far_as_its_members():
    unet = UNetConfig(depth=1, kernel=3, filters=4, probabilistic=True)
    network = networks.build(EnsembleConfig(unet, 2))
    member = network.members[0]
    assert measure(network, network.form) == measure(member, member.form)
