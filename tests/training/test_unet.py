import pytest
import torch

from care_training.unet import UNet, UNetConfig, count_parameters


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (UNetConfig(), 922_977),
        (UNetConfig(dims=3), 996_769),
        (UNetConfig(kernel=3), 332_641),
        (UNetConfig(kernel=3, depth=3), 1_365_473),
        (UNetConfig(kernel=5, depth=3), 3_790_817),
        (UNetConfig(dims=3, depth=3), 4_093_985),
        (UNetConfig(dims=3, filters=16), 249_553),
        (UNetConfig(channels_in=2, channels_out=2), 923_810),
        (UNetConfig(channels_in=2), 923_777),
    ],
)
def test_parameters_are_those_of_csbdeep(config, count):
    assert count_parameters(UNet(config)) == count


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("depth", [1, 2])
def test_the_restoration_has_the_size_of_the_image(dims, depth):
    config = UNetConfig(dims=dims, depth=depth, filters=4, channels_in=2)
    sizes = [2 * config.multiple, 4 * config.multiple, 3 * config.multiple][:dims]
    y = UNet(config)(torch.zeros(2, 2, *sizes))
    assert y.shape == (2, 1, *sizes)


def test_a_residual_network_without_weights_is_the_identity():
    network = UNet(UNetConfig(filters=4))
    torch.nn.init.zeros_(network.head.weight)
    x = torch.randn(1, 1, 16, 16)
    torch.testing.assert_close(network(x), x, rtol=0, atol=0)


def test_relu_keeps_the_restoration_positive():
    network = UNet(UNetConfig(filters=4, last_activation="relu"))
    assert network(torch.randn(1, 1, 16, 16)).min() >= 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dims": 4}, "2 or 3"),
        ({"kernel": 4}, "odd"),
        ({"channels_in": 2, "residual": True}, "same channels"),
    ],
)
def test_impossible_networks_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        UNetConfig(**values)


def test_config_round_trip():
    config = UNetConfig(dims=3, depth=3, channels_in=2)
    assert UNetConfig.from_dict(config.to_dict()) == config
