"""Resampling: scipy's linear zoom and numpy's reflection, in tiles as in the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import zoom

from care_runtime.resample import gather, samples, stretched

FACTORS = [1.0, 2.0, 2.5, 10.2, 0.5, 1.3]


def volume(z: int, dtype: str = "float32") -> np.ndarray:
    image = np.random.default_rng(z).integers(0, 1000, (2, z, 4, 3))
    return image.astype(dtype)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("z", [1, 2, 3, 9])
@pytest.mark.parametrize("dtype", ["uint16", "float32", ">i2"])
def test_equals_scipy_zoom(z: int, factor: float, dtype: str) -> None:
    image = volume(z, dtype)
    found = gather(image, [samples(z, factor), samples(4), samples(3)])
    if stretched(z, factor) == 1:  # scipy then takes the mean of no two pixels
        np.testing.assert_array_equal(found, image[:, :1])
        return
    target = stretched(z, factor) / z
    source = image.astype(np.float64)
    expected = zoom(source, (1, target, 1, 1), order=1, mode="nearest")
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * 1000)


def test_rounds_as_integers_would() -> None:
    image = np.array([0, 1, 4]).reshape(1, 3, 1, 1).astype(np.uint8)
    lines = [samples(3, 2.0), samples(1), samples(1)]
    exact = np.interp(np.arange(6) * 2 / 5, np.arange(3), [0, 1, 4])
    plain, rounded = gather(image, lines), gather(image, lines, round_=True)
    np.testing.assert_allclose(plain.ravel(), exact, rtol=1e-6)
    np.testing.assert_array_equal(rounded.ravel(), np.floor(exact + 0.5))


@given(
    size=st.integers(1, 12),
    factor=st.sampled_from(FACTORS),
    before=st.integers(0, 40),
    after=st.integers(0, 40),
    cut=st.tuples(st.integers(0, 50), st.integers(1, 50)),
)
def test_a_tile_has_the_pixels_of_the_whole(
    size: int, factor: float, before: int, after: int, cut: tuple[int, int]
) -> None:
    image = volume(size)
    padded = before + stretched(size, factor) + after
    line = samples(size, factor, before=before, padded=padded)
    first = min(cut[0], padded - 1)
    part = slice(first, min(first + cut[1], padded))
    others = [samples(4), samples(3)]
    whole = gather(image, [line, *others])
    assert whole.shape[1] == padded
    np.testing.assert_array_equal(
        gather(image, [line[part], *others]), whole[:, part], strict=True
    )


@given(size=st.integers(1, 12), before=st.integers(0, 60), after=st.integers(0, 60))
def test_padding_is_numpy_reflection(size: int, before: int, after: int) -> None:
    row = np.arange(size)
    line = samples(size, before=before, padded=before + size + after)
    expected = np.pad(row, (before, after), mode="reflect")
    found = gather(row[None].astype(np.uint16), [line])
    np.testing.assert_array_equal(found[0], expected)
    assert found.dtype == np.uint16


def test_neighbours_are_a_view() -> None:
    image = volume(9)
    lines = [samples(9)[2:5], samples(4)[1:3], samples(3)]
    assert np.shares_memory(gather(image, lines), image)
