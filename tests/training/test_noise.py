import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from care_training.noise import Noise, neighbour_correlation


def test_noise_drawn_anew_is_like_the_noise_itself(pairs):
    low, high = pairs[0].low[0], pairs[0].high[0]
    drawn = Noise.of(low, high).draw(high, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(low.mean(), rel=0.01)
    # Brighter pixels are noisier, in the drawn image as in the real one.
    bright = high > np.median(high)
    for part in (bright, ~bright):
        assert drawn[part].std() == pytest.approx(low[part].std(), rel=0.05)
    assert low.min() <= drawn.min() <= drawn.max() <= low.max()


def test_draws_differ_and_are_seeded(pairs):
    noise = Noise.of(pairs[0].low[0], pairs[0].high[0])
    a, b, c = (
        noise.draw(pairs[0].high[0], np.random.default_rng(s)) for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_correlated_noise_is_found(pairs):
    low, high = pairs[0].low[0], pairs[0].high[0]
    assert abs(neighbour_correlation(low, high)) < 0.05
    rng = np.random.default_rng(0)
    blurred = high + gaussian_filter(rng.normal(0, 1e4, high.shape), 2)
    assert neighbour_correlation(blurred, high) > 0.5


def test_noise_that_alternates_is_not_independent(pairs):
    high = pairs[0].high[0].astype(float)
    noise = np.random.default_rng(0).normal(0, 100, high.shape)
    sharp = high + 2 * noise - np.roll(noise, 1, -1) - np.roll(noise, -1, -1)
    assert neighbour_correlation(sharp, high) < -0.3


def test_noise_along_z_counts():
    rng = np.random.default_rng(0)
    high = np.broadcast_to(np.linspace(0, 1000, 64), (24, 64, 64))
    noise = rng.normal(0, 30, high.shape)
    assert abs(neighbour_correlation(high + noise, high)) < 0.05
    deep = high + gaussian_filter(noise, (1, 0, 0))
    assert neighbour_correlation(deep, high) > 0.5
