"""Detail along Z: raised by a gain that is measured without a truth."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy import ndimage

from care_runtime.errors import TrainingError
from care_training import detail, halo, networks
from care_training.cli import main
from care_training.isotropic import IsotropicConfig, Sharper
from care_training.metrics import spectral_isotropy
from care_training.recipe import get_recipe
from care_training.reproduce import experiment
from care_training.unet import UNetConfig

FACTOR = 4.0


def restorer(blur):
    """Make a restorer that only blurs along Z, in grey values above 100."""

    def run(stack, axes, dtype):
        assert (axes, dtype) == ("CZYX", "float32")
        image = ndimage.gaussian_filter1d(stack, blur, axis=1).astype(np.float32)
        return SimpleNamespace(image=image)

    return run


def tissue(seed, channels=1):
    """Draw a volume with no preferred direction."""
    noise = np.random.default_rng(seed).standard_normal((channels, 64, 80, 150))
    smooth = ndimage.gaussian_filter(noise, (0, 1.2, 1.2, 1.2), mode="wrap")
    return (1000 + 300 * smooth / smooth.std()).astype(np.float32)


def test_what_blur_took_along_z_is_found():
    found = detail.gains(restorer(0.8), [tissue(1), tissue(2)], FACTOR)
    assert 1.1 < found[0] < detail.MOST
    # On a stack that was not looked at.
    blurred = ndimage.gaussian_filter1d(tissue(3), 0.8, axis=1)
    x = torch.from_numpy(blurred)
    before, after = (
        spectral_isotropy(y.numpy()[0], FACTOR, voxel=(1, 1, 1))
        for y in (x, Sharper(found, FACTOR)(x[None])[0])
    )
    assert before < 0.7
    assert after == pytest.approx(1, abs=0.1)


def test_every_channel_has_its_own():
    stack = np.concatenate(
        [tissue(1), ndimage.gaussian_filter1d(tissue(2), 0.8, axis=1)]
    )
    sharp, blurred = detail.gains(restorer(0.3), [stack], FACTOR)
    assert 1 <= sharp < blurred


@pytest.mark.parametrize(
    ("stack", "gain"),
    [
        (ndimage.gaussian_filter1d(tissue(1), 0.8, axis=3), 1.0),
        (np.full((1, 64, 64, 64), 7, np.float32), 1.0),
        (tissue(1)[:, :3], 1.0),
        (ndimage.gaussian_filter1d(tissue(1), 4, axis=1), detail.MOST),
    ],
    ids=["sharper along Z", "blank", "three planes", "hopeless"],
)
def test_a_gain_stays_within_its_limits(stack, gain):
    assert detail.gains(restorer(0.01), [stack], FACTOR) == (gain,)


def test_without_stacks_there_is_none():
    assert detail.gains(restorer(0.8), [], FACTOR) == ()


def test_what_is_even_along_z_stays():
    planes = torch.rand(1, 2, 1, 6, 7).expand(1, 2, 9, 6, 7)
    found = Sharper([1.5, 2.0], FACTOR)(planes)
    torch.testing.assert_close(found, planes, rtol=0, atol=1e-6)


def test_a_gain_of_one_changes_nothing():
    x = torch.rand(1, 1, 20, 3, 3)
    torch.testing.assert_close(Sharper([1.0], FACTOR)(x), x, rtol=0, atol=0)


def test_no_rim_becomes_darker_than_the_ground():
    x = torch.full((1, 1, 40, 2, 2), 0.2)
    x[:, :, 15:25] = 1
    found = Sharper([3.0], FACTOR)(x)
    assert float(found.min()) == pytest.approx(0.2)
    assert float(found.max()) > 1.3


def test_short_waves_are_raised():
    z = torch.arange(64.0)
    for wave, raised in ((2 * FACTOR, 0.65), (FACTOR, 1.0), (8 * FACTOR, 0.1)):
        x = 5 + 0.01 * torch.cos(2 * np.pi * z / wave)[None, None, :, None, None]
        middle = Sharper([2.0], FACTOR)(x)[0, 0, 16:48, 0, 0] - 5
        part = float(middle.max()) / 0.01 - 1
        assert part == pytest.approx(raised, abs=0.12)


def test_a_configuration_is_read_as_it_was_written():
    unet = UNetConfig(kernel=3, channels_in=2, channels_out=2)
    plain, sharp = IsotropicConfig(unet), IsotropicConfig(unet, (1.2, 1.0), 5.0)
    assert networks.read(plain.to_dict()) == plain
    assert networks.read(sharp.to_dict()) == sharp
    assert set(plain.to_dict()) == {"kind", "unet"}  # as packages of before
    for gains, factor in (((1.2,), 5.0), ((1.2, 0.0), 5.0), ((1.2, 1.0), 0.0)):
        with pytest.raises(TrainingError, match="gain above 0 for each channel"):
            IsotropicConfig(unet, gains, factor)


def test_a_sharper_network_has_the_same_weights():
    network = networks.build(IsotropicConfig(UNetConfig(kernel=3, filters=2)), 3)
    made = networks.sharper(network, (1.7,), FACTOR)
    plain = networks.sharper(made, (), 0.0)
    assert (made.config.gains, plain.config.gains) == ((1.7,), ())
    x = torch.rand(1, 1, 16, 8, 8)
    with torch.no_grad():
        wanted = network(x)
        torch.testing.assert_close(plain(x), wanted, rtol=0, atol=0)
        sharper = Sharper((1.7,), FACTOR)(wanted)
        torch.testing.assert_close(made(x), sharper, rtol=0, atol=0)


def test_only_who_asks_for_it_gets_it():
    assert not get_recipe("default").sharper
    assert not get_recipe("paper").sharper
    assert experiment("isotropic_liver").recipe.sharper


def test_it_is_for_isotropic_networks(tmp_path):
    command = ["fit", "--low", tmp_path, "--high", tmp_path, "--axes", "ZYX"]
    command += ["--name", "model", "-o", tmp_path / "out", "--sharper"]
    result = CliRunner().invoke(main, [str(part) for part in command])
    assert result.exit_code == 2
    assert "--sharper is that of --isotropic: leave it out" in result.output


@pytest.mark.parametrize("factor", [3.0, 10.2])
def test_a_halo_has_room_for_the_window(factor):
    plain = networks.build(IsotropicConfig(UNetConfig(kernel=3, depth=1, filters=2)))
    sharp = networks.sharper(plain, (1.3,), factor)
    before, after = (halo.measure(n, n.form) for n in (plain, sharp))
    assert after == before | {"z": before["z"] + round(factor)}
