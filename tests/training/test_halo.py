import pytest
import torch

from care_training.halo import measure
from care_training.unet import UNet, UNetConfig


# The margins that CSBDeep's networks need at seams on the pooling grid.
@pytest.mark.parametrize(
    ("depth", "kernel", "margin"),
    [(2, 3, 22), (2, 5, 40), (3, 3, 46), (3, 5, 92), (4, 3, 94)],
)
def test_halo_of_the_papers_networks(depth, kernel, margin):
    network = UNet(UNetConfig(depth=depth, kernel=kernel, filters=4))
    assert measure(network, "yx", 2**depth, channels=1) == {"y": margin, "x": margin}


def test_halo_in_three_dimensions():
    network = UNet(UNetConfig(dims=3, filters=4))
    assert measure(network, "zyx", 4, channels=1) == {"z": 22, "y": 22, "x": 22}


def test_halo_does_not_depend_on_the_weights():
    network = UNet(UNetConfig(depth=1, kernel=3, filters=4))
    torch.nn.init.zeros_(network.middle[0].weight)
    assert measure(network, "yx", 2, channels=1)["y"] > 0


def test_measuring_leaves_the_network_alone():
    network = UNet(UNetConfig(depth=1, kernel=3, filters=4))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    measure(network, "yx", 2, channels=1)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
