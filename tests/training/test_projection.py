import pytest
import torch

from care_training.isotropic import Isotropic, IsotropicConfig
from care_training.projection import Projection, ProjectionConfig
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
