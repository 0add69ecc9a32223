"""Folding: the same numbers from fewer products."""

import pytest
import torch

from care_training.ensemble import EnsembleConfig
from care_training.folding import Folded, fold, unfold
from care_training.networks import build
from care_training.unet import UNet, UNetConfig, Up


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_a_folded_network_computes_the_same(kernel, depth, dims):
    torch.manual_seed(kernel)
    config = UNetConfig(dims=dims, kernel=kernel, depth=depth, filters=3)
    network = UNet(config).double().eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    made = fold(network)
    assert sum(isinstance(m, Folded) for m in made.modules()) == depth
    grid = config.multiple
    sizes = [2 * grid, grid, 3 * grid][-dims:]
    x = torch.randn(2, 1, *sizes, dtype=torch.double)
    with torch.no_grad():
        wanted, found = network(x), made(x)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12 * wanted.abs().max())


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_the_weights_are_found_again(kernel, dims):
    torch.manual_seed(kernel)
    config = UNetConfig(dims=dims, kernel=kernel, depth=2, filters=3)
    network, other = UNet(config), UNet(config)
    unfold(fold(network), other)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=0, atol=1e-7)


def test_the_network_itself_stays():
    network = UNet(UNetConfig(dims=3, depth=1, filters=2))
    fold(network)
    assert isinstance(network.up[0], Up)


def test_planes_lose_the_concatenation_alone():
    made = fold(UNet(UNetConfig(dims=2, depth=1, filters=2, kernel=3)))
    (block,) = (m for m in made.modules() if isinstance(m, Folded))
    assert [tuple(part.weight.shape) for part in block.parts] == [(2, 2, 3, 3)]


def test_only_what_is_folded_in_given_weights_is_folded():
    config = UNetConfig(dims=2, kernel=3, depth=2, filters=2)
    network, other = UNet(config), UNet(config)
    one = fold(network, ["up.1.own.weight"])
    assert [isinstance(block, Folded) for block in one.up] == [False, True]
    assert not any(isinstance(m, Folded) for m in fold(network, []).modules())
    unfold(one, other)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=0, atol=1e-7)


def test_every_member_of_an_ensemble_is_folded():
    config = UNetConfig(dims=3, depth=1, filters=2, probabilistic=True)
    made = fold(build(EnsembleConfig(config, 3), 0))
    assert sum(isinstance(m, Folded) for m in made.modules()) == 3
