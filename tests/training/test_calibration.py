"""Calibration: laws of a distribution that is right, too narrow or too wide."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from care_training import losses
from care_training.calibration import LEVELS, Foreground
from care_training.plot import calibration


def drawn(factor: float, members: int = 1) -> Foreground:
    """Truth drawn from the predicted distributions, with scales that are off."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(members, 40_000))
    scales = rng.uniform(0.1, 1.0, (members, 40_000))
    chosen = rng.integers(members, size=40_000), np.arange(40_000)
    truth = rng.laplace(means[chosen], scales[chosen])
    wrong = (scales * factor).astype(np.float32)
    return Foreground(means.astype(np.float32), wrong, truth.astype(np.float32))


@pytest.mark.parametrize("members", [1, 4])
def test_what_is_right_has_no_error(members):
    found = drawn(1.0, members).calibration()
    assert found.error < 0.01
    assert len(found.confidence) == len(found.accuracy) == 20
    assert found.confidence == tuple(LEVELS)


@pytest.mark.parametrize("factor", [0.02, 0.4, 2.5, 60.0])
def test_what_is_wrong_has_one_and_a_factor_mends_it(factor):
    pixels = drawn(factor)
    before = pixels.calibration()
    assert before.error > 0.1
    less = np.array(before.accuracy) < np.array(before.confidence)
    assert less.all() if factor < 1 else not less.any()
    assert pixels.factor() == pytest.approx(1 / factor, rel=0.03)
    assert pixels.calibration(pixels.factor()).error < 0.01


def test_the_error_of_certainty_is_a_half():
    n = 1000
    sure = Foreground(np.zeros((1, n)), np.full((1, n), 1e-6), np.ones(n))
    assert sure.calibration().error == pytest.approx(0.5)


def test_the_likelihood_is_that_of_csbdeep():
    mean, scale, target = torch.randn(3, 2, 1, 8, 8)
    scale = scale.exp()
    expected = torch.distributions.Laplace(mean, scale).log_prob(target)
    found = losses.laplace(mean, scale, target)
    torch.testing.assert_close(found, -expected.mean())


def test_the_figure_is_written(tmp_path):
    calibration(tmp_path / "c.png", {"right": drawn(1.0).calibration()})
    assert (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"
