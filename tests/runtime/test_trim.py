"""Trim: what the way up has to compute, by its laws."""

import numpy as np
import pytest

from care_runtime.trim import Trims

SEEDS = range(40)


def drawn(seed):
    """Draw a U-Net, a tile on its grid, and what is kept of it."""
    rng = np.random.default_rng(seed)
    depth, space = int(rng.integers(1, 5)), int(rng.integers(2, 4))
    ladder = tuple((f"below {i}", f"own {i}") for i in range(depth))
    trims = Trims(space, int(rng.integers(0, 5)) * 2, (ladder,), "input")
    sizes = [int(n) * 2**depth for n in rng.integers(1, 20, space)]
    ends = [sorted(rng.choice(n + 1, 2, replace=False)) for n in sizes]
    return trims, sizes, [(int(a), int(b)) for a, b in ends]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_level_has_what_the_one_above_needs(seed):
    trims, sizes, keep = drawn(seed)
    needed, whole = keep, sizes
    for level in trims.spans(keep, sizes):
        for (a, b), (first, stop), n in zip(level, needed, whole, strict=True):
            assert 0 <= a <= max(0, first - trims.reach)
            assert min(n, stop + trims.reach) <= b <= n
            # No more than a pixel of the level below is computed in vain.
            assert a > first - trims.reach - 2
            assert b < stop + trims.reach + 2
            assert a % 2 == b % 2 == 0
        needed = [(a // 2, b // 2) for a, b in level]
        whole = [n // 2 for n in whole]


@pytest.mark.parametrize("seed", SEEDS)
def test_extents_lead_to_the_same_pixels(seed):
    """Cut as the graph does it, arrays of places agree wherever two of them meet."""
    trims, sizes, keep = drawn(seed)
    levels = trims.spans(keep, sizes)
    ends = trims.extents(levels)
    assert len(ends) == 2 * len(trims.tensors)
    cuts = dict(
        zip(trims.tensors, zip(ends[::2], ends[1::2], strict=True), strict=True)
    )
    for axis, size in enumerate(sizes):

        def cut(name, places, axis=axis):
            start, stop = cuts[name]
            return places[start[axis] : stop[axis]]

        depth = len(levels)
        places = np.arange(size >> depth)  # at the bottom
        for level in reversed(range(depth)):
            below = np.repeat(2 * cut(f"below {level}", places), 2)
            below[1::2] += 1
            own = cut(f"own {level}", np.arange(size >> level))
            np.testing.assert_array_equal(below, own)
            places = own
        np.testing.assert_array_equal(cut("input", np.arange(size)), places)
        assert set(range(*keep[axis])) <= set(places)


def test_all_of_a_tile_is_all_of_every_level():
    trims = Trims(2, 4, ((("a", "b"), ("c", "d")),), "")
    whole = [(0, 32), (0, 48)]
    assert trims.spans(whole, [32, 48]) == [whole, [(0, 16), (0, 24)]]


def test_it_is_read_as_it_was_written():
    trims = Trims(3, 4, ((("a", "b"), ("c", "d")), (("e", "f"), ("g", "h"))), "input")
    assert Trims.read(trims.write()) == trims
