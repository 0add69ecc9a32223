"""Laplace: the laws of a distribution, and one Laplace's closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import laplace

from care_runtime.errors import AxesError, CareError, OptionError
from care_runtime.laplace import CHUNK, Mixture

Q = [1e-6, 0.025, 0.25, 0.5, 0.6, 0.9, 0.975, 1 - 1e-6]

mixtures = st.builds(
    lambda **given: mixture(**given),
    members=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.0, 0.1, 1.0, 50.0]),
    widest=st.sampled_from([-3.0, -1.0, 1.0]),
)
probabilities = st.floats(1e-6, 1 - 1e-6)


def mixture(
    members: int, seed: int, spread: float, widest: float, pixels: int = 300
) -> Mixture:
    """Means up to `spread` from 0, scales between 1e-3 and ``10**widest``."""
    rng = np.random.default_rng(seed)
    shape = (members, pixels // 3, 3)
    means = rng.uniform(-spread, spread, shape).astype(np.float32)
    return Mixture(means, (10 ** rng.uniform(-3, widest, shape)).astype(np.float32))


@given(mixture=mixtures, q=probabilities)
def test_quantile_inverts_cdf(mixture: Mixture, q: float) -> None:
    found = mixture.quantile(q)
    assert found.shape == mixture.means.shape[1:]
    assert found.dtype == np.float64
    np.testing.assert_allclose(mixture.cdf(found), q, rtol=0, atol=1e-9)


@pytest.mark.parametrize("q", Q)
@pytest.mark.parametrize("scale", [1e-3, 0.02, 10])
def test_equal_members_are_one(q: float, scale: float) -> None:
    means = np.linspace(-50, 50, 60, dtype=np.float32).reshape(1, 5, 12)
    scales = np.full_like(means, scale)
    one = Mixture(means, scales)
    five = Mixture(np.repeat(means, 5, axis=0), np.repeat(scales, 5, axis=0))
    expected = laplace.ppf(q, means[0].astype(float), scales[0].astype(float))
    np.testing.assert_allclose(one.quantile(q), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(five.quantile(q), expected, rtol=1e-12, atol=1e-12)
    z = means[0] + np.linspace(-3, 3, 12) * scale
    expected = laplace.cdf(z, means[0].astype(float), scales[0].astype(float))
    np.testing.assert_allclose(one.cdf(z), expected, atol=1e-12)
    np.testing.assert_allclose(five.cdf(z), expected, atol=1e-12)


@given(mixture=mixtures, q=probabilities, factor=st.sampled_from([-4.0, 0.25, 1024.0]))
def test_follows_affine_maps(mixture: Mixture, q: float, factor: float) -> None:
    means = mixture.means * np.float32(factor)  # a power of two: no rounding
    scales = mixture.scales * np.float32(abs(factor))
    mirrored = q if factor > 0 else 1 - q
    found = Mixture(means, scales).quantile(mirrored)
    assert_same(found, factor * mixture.quantile(q), Mixture(means, scales))


@given(q=probabilities, shift=st.integers(-100, 100), seed=st.integers(0, 1000))
def test_follows_shifts(q: float, shift: int, seed: int) -> None:
    plain = mixture(5, seed, 2.0, 1.0)
    means = np.round(plain.means * 4096) / np.float32(4096)  # exact after the shift
    moved = Mixture(means + np.float32(shift), plain.scales)
    expected = Mixture(means, plain.scales).quantile(q) + shift
    assert_same(moved.quantile(q), expected, moved)


@given(mixture=mixtures, q=probabilities, seed=st.integers(0, 1000))
def test_members_have_no_order(mixture: Mixture, q: float, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(mixture.means))
    other = Mixture(mixture.means[order], mixture.scales[order])
    assert_same(other.quantile(q), mixture.quantile(q), mixture)


@given(mixture=mixtures, pair=st.tuples(probabilities, probabilities))
def test_quantiles_grow(mixture: Mixture, pair: tuple[float, float]) -> None:
    low, high = (mixture.quantile(q) for q in sorted(pair))
    assert (low <= high + 1e-9).all()


@given(mixture=mixtures, pair=st.tuples(probabilities, probabilities))
def test_intervals_are_nested(mixture: Mixture, pair: tuple[float, float]) -> None:
    narrow, wide = (mixture.interval(confidence) for confidence in sorted(pair))
    assert (wide[0] <= narrow[0] + 1e-9).all()
    assert (narrow[0] <= narrow[1] + 1e-9).all()
    assert (narrow[1] <= wide[1] + 1e-9).all()
    inside = mixture.cdf(narrow[1]) - mixture.cdf(narrow[0])
    np.testing.assert_allclose(inside, min(pair), atol=1e-8)


def test_a_pixel_depends_on_no_other() -> None:
    whole = mixture(5, 0, 1.0, 0.0, pixels=CHUNK + 300)
    part = np.s_[100:237:2, 1:]
    tile = Mixture(whole.means[:, *part], whole.scales[:, *part])
    for q in (0.025, 0.5, 0.975):
        np.testing.assert_array_equal(tile.quantile(q), whole.quantile(q)[part])
    assert tile.quantile(0.3)[4, 1] == pytest.approx(
        float(Mixture(tile.means[:, 4, 1], tile.scales[:, 4, 1]).quantile(0.3)),
        abs=1e-12,
    )


@pytest.mark.parametrize("q", Q)
@pytest.mark.parametrize("members", [2, 4, 5])
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-3])
def test_finds_narrow_peaks_far_apart(q: float, members: int, scale: float) -> None:
    """Also where q lies at the height of a step, between two peaks."""
    means = np.linspace(-50, 50, members, dtype=np.float32)[:, np.newaxis]
    narrow = Mixture(means, np.full_like(means, scale))
    found = narrow.quantile(q)
    beside = 1e-9 + 20 * scale
    assert narrow.cdf(found - beside)[0] <= q + 1e-9
    assert narrow.cdf(found + beside)[0] >= q - 1e-9


def test_predictions_that_are_no_number_stay_so() -> None:
    means = np.zeros((3, 4), np.float32)
    means[1, 2] = np.nan
    means[0, 0] = 1
    found = Mixture(means, np.ones_like(means)).quantile(0.3)
    np.testing.assert_array_equal(np.isnan(found), [False, False, True, False])
    assert found[1] == pytest.approx(np.log(0.6))


@pytest.mark.parametrize("means", [[0.0], [-1.0, 2.0], [-3.0, -2.5, 0.0, 0.1, 4.0]])
def test_draws_follow_the_distribution(means: list[float]) -> None:
    count = 40_000
    shape = (len(means), count)
    scales = np.geomspace(0.1, 1, len(means), dtype=np.float32)
    pixels = Mixture(
        np.broadcast_to(np.float32(means)[:, np.newaxis], shape),
        np.broadcast_to(scales[:, np.newaxis], shape),
    )
    first, second = np.random.default_rng(5).random((2, count))
    drawn = np.sort(pixels.draw(first, second))
    cdf = pixels.cdf(drawn)
    rank = np.arange(count) / count
    distance = max((cdf - rank).max(), (rank + 1 / count - cdf).max())
    assert distance < 1.95 / np.sqrt(count)  # Kolmogorov-Smirnov, one in 1000


def test_draws_invert_a_member() -> None:
    pixels = mixture(4, 1, 1.0, 0.0)
    shape = pixels.means.shape[1:]
    second = np.random.default_rng(2).random(shape)
    for k, first in enumerate([0.0, 0.25, 0.6, 1.0]):
        drawn = pixels.draw(np.full(shape, first), second)
        member = Mixture(pixels.means[k : k + 1], pixels.scales[k : k + 1])
        np.testing.assert_allclose(member.cdf(drawn), second, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("u", [0, 1])
def test_draws_are_finite(u: int, dtype: str) -> None:
    ends = np.full((100, 3), u, dtype)
    pixels = mixture(5, 3, 1.0, 1.0)
    assert np.isfinite(pixels.draw(ends, ends)).all()


@pytest.mark.parametrize("value", [0, 1, -0.1, 95, float("nan")])
def test_refuses_what_is_no_share(value: float) -> None:
    pixels = mixture(2, 0, 1.0, 1.0)
    with pytest.raises(OptionError, match=r"probability between 0 and 1.*found"):
        pixels.quantile(value)
    with pytest.raises(OptionError, match=r"confidence between 0 and 1.*such as 0\.95"):
        pixels.interval(value)


@pytest.mark.parametrize(
    ("means", "scales"), [((2, 3), (2, 4)), ((0, 3), (0, 3)), ((), ())]
)
def test_refuses_shapes_that_differ(
    means: tuple[int, ...], scales: tuple[int, ...]
) -> None:
    with pytest.raises(AxesError, match="one shape") as error:
        Mixture(np.zeros(means, np.float32), np.ones(scales, np.float32))
    assert isinstance(error.value, CareError)


def assert_same(found: np.ndarray, expected: np.ndarray, where: Mixture) -> None:
    """Compare in probability where there is a gap, and else in smallest scales."""
    near = np.abs(found - expected) <= 1e-6 * where.scales.min(axis=0)
    level = np.abs(where.cdf(found) - where.cdf(expected)) <= 1e-12
    assert (near | level).all()
