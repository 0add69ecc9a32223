"""Counter: numbers that are uniform, independent, and depend on nothing but the key."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from care_runtime.counter import GAMMA, _mix, uniforms
from care_runtime.errors import CareError, OptionError

COUNT = 1 << 16
INDEX = np.arange(COUNT, dtype=np.uint64)
# Of independent numbers, one correlation in 10**9 lies beyond six standard errors.
BOUND = 6 / np.sqrt(COUNT)

seeds = st.integers(0, 2**64 - 1)
streams = st.integers(0, 2**63 - 1)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_mixes_as_splitmix64() -> None:
    # First outputs of the authors' generator for the seed 1234567.
    state = np.arange(1, 6, dtype=np.uint64) * GAMMA + np.uint64(1234567)
    _mix(state)
    assert state.tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(seed=seeds, stream=streams, first=st.integers(0, 2**64 - 8))
def test_a_part_has_the_numbers_of_the_whole(
    seed: int, stream: int, first: int
) -> None:
    index = np.arange(8, dtype=np.uint64).reshape(2, 4) + np.uint64(first)
    kept = index.copy()
    whole = uniforms(seed, stream, index)
    assert whole.shape == (2, 4)
    assert whole.dtype == np.float64
    assert ((whole > 0) & (whole < 1)).all()
    np.testing.assert_array_equal(uniforms(seed, stream, index[:, 1:3]), whole[:, 1:3])
    np.testing.assert_array_equal(uniforms(seed, stream, index.T), whole.T)
    one = uniforms(seed, stream, index[1, 2])
    assert one.shape == ()
    assert one == whole[1, 2]
    np.testing.assert_array_equal(index, kept)


def test_stays_inside_at_the_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_or_nothing(bits: np.ndarray) -> None:
        bits[0], bits[-1] = 0, 2**64 - 1

    monkeypatch.setattr("care_runtime.counter._mix", all_or_nothing)
    low, high = uniforms(0, 0, INDEX[:2])
    assert 0 < low < 2**-52
    assert 1 - 2**-52 < high < 1


@pytest.mark.parametrize(("seed", "stream"), [(0, 0), (1, 3), (2**64 - 1, 2**63 - 1)])
@pytest.mark.parametrize("step", [1, 2, 1024, 2**32, 2**48])
def test_is_uniform(seed: int, stream: int, step: int) -> None:
    numbers = uniforms(seed, stream, INDEX * np.uint64(step))
    assert abs(numbers.mean() - 1 / 2) < 6 * np.sqrt(1 / 12 / COUNT)
    assert abs(numbers.var() - 1 / 12) < 6 * np.sqrt(1 / 180 / COUNT)
    # Also the low bits are uniform: those below the first 20.
    for part in (numbers, numbers * 2**20 % 1):
        bins = 256
        counts = np.bincount((part * bins).astype(int), minlength=bins)
        chi_square = ((counts - COUNT / bins) ** 2).sum() / (COUNT / bins)
        assert abs(chi_square - (bins - 1)) < 6 * np.sqrt(2 * (bins - 1))


@pytest.mark.parametrize("lag", [1, 2, 3, 64, 512, 1024, 4096])
def test_neighbours_are_not_correlated(lag: int) -> None:
    for stream in range(4):
        numbers = uniforms(7, stream, INDEX)
        assert abs(correlation(numbers[lag:], numbers[:-lag])) < 1.1 * BOUND


def test_seeds_and_streams_are_not_correlated() -> None:
    keys = [(0, 0), (0, 1), (0, 2), (0, 1 << 62), (1, 0), (1, 1), (2, 0), (1 << 63, 0)]
    all_numbers = [uniforms(seed, stream, INDEX) for seed, stream in keys]
    for a, b in combinations(all_numbers, 2):
        assert abs(correlation(a, b)) < BOUND
        assert abs(correlation(a[1:], b[:-1])) < 1.1 * BOUND
        assert abs(correlation(abs(a - 0.5), abs(b - 0.5))) < BOUND
    # Not the same numbers in another order either.
    assert np.unique(all_numbers).size == len(keys) * COUNT


def test_pairs_fill_the_square() -> None:
    first, second = (uniforms(3, stream, INDEX) for stream in (0, 1))
    cells = 32
    counts = np.bincount(
        (first * cells).astype(int) * cells + (second * cells).astype(int),
        minlength=cells**2,
    )
    chi_square = ((counts - COUNT / cells**2) ** 2).sum() / (COUNT / cells**2)
    assert abs(chi_square - (cells**2 - 1)) < 6 * np.sqrt(2 * (cells**2 - 1))


def test_every_bit_of_the_key_matters() -> None:
    """One bit of the seed, stream or index changes half of the bits of the number."""
    index = INDEX[:256]

    def bits(seed: int, stream: int, index: np.ndarray) -> np.ndarray:
        return (uniforms(seed, stream, index) * 2**52).astype(np.uint64)

    plain = bits(5, 9, index)
    for bit in range(63):
        flipped = 1 << bit
        for other in (
            bits(5 ^ flipped, 9, index),
            bits(5, 9 ^ flipped, index),
            bits(5, 9, index ^ np.uint64(flipped)),
        ):
            changed = np.unpackbits((plain ^ other).view(np.uint8)).sum() / 256 / 52
            assert abs(changed - 0.5) < 6 * np.sqrt(0.25 / 256 / 52)


def test_numbers_stay_the_same_for_ever() -> None:
    """Published draws can be made again: these numbers must never change."""
    found = uniforms(42, 1, np.array([0, 1, 2**40], np.uint64))
    np.testing.assert_array_equal(
        found, [0.21060220450353484, 0.42572906551846545, 0.9486254962734545]
    )


@pytest.mark.parametrize(
    ("seed", "stream", "word"),
    [(-1, 0, "seed"), (2**64, 0, "seed"), (0, -1, "stream"), (0, 2**63, "stream")],
)
def test_refuses_keys_out_of_range(seed: int, stream: int, word: str) -> None:
    with pytest.raises(OptionError, match=rf"expected a {word} .* found") as error:
        uniforms(seed, stream, INDEX[:1])
    assert isinstance(error.value, CareError)
