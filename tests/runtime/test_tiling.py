"""Tiling: every pixel once, on the grid, with context; checked on integers alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from care_runtime.tiling import Line, Plan, grown, line

SIZES = st.integers(1, 400)
OPTIONS = st.fixed_dictionaries(
    {
        "multiple": st.sampled_from([1, 2, 3, 4, 8, 16]),
        "halo": st.integers(0, 40),
        "tile": st.none() | st.integers(1, 200),
    }
)


def length(part: slice) -> int:
    return int(part.stop - part.start)


@settings(max_examples=300)
@given(SIZES, OPTIONS)
def test_every_pixel_is_written_once(size: int, options: dict[str, int]) -> None:
    count = np.zeros(size, int)
    for cut in line(size, **options).cuts:
        assert 0 <= cut.write.start < cut.write.stop <= size
        count[cut.write] += 1
    np.testing.assert_array_equal(count, 1)


@settings(max_examples=300)
@given(SIZES, OPTIONS)
def test_reads_lie_on_the_grid_and_have_one_size(
    size: int, options: dict[str, int]
) -> None:
    made, multiple = line(size, **options), options["multiple"]
    assert made.padded % multiple == 0
    assert made.padded >= size
    assert len({length(cut.read) for cut in made.cuts}) == 1
    for cut in made.cuts:
        assert cut.read.start % multiple == cut.read.stop % multiple == 0
        assert 0 <= cut.read.start < cut.read.stop <= made.padded


@settings(max_examples=300)
@given(SIZES, OPTIONS)
def test_kept_pixels_have_their_context(size: int, options: dict[str, int]) -> None:
    made, halo = line(size, **options), options["halo"]
    for cut in made.cuts:
        assert 0 <= cut.keep.start < cut.keep.stop <= length(cut.read)
        assert length(cut.keep) == length(cut.write)
        # What is kept is what is written, seen from the tile.
        offset = cut.read.start - made.before
        assert cut.write.start - offset == cut.keep.start
        assert cut.read.start == 0 or cut.keep.start >= halo
        behind = length(cut.read) - cut.keep.stop
        assert cut.read.stop == made.padded or behind >= halo


@given(SIZES, OPTIONS)
def test_without_a_tile_an_axis_is_whole(size: int, options: dict[str, int]) -> None:
    (cut,) = line(size, **options | {"tile": None}).cuts
    assert (cut.read.start, cut.write) == (0, slice(0, size))


@given(SIZES, OPTIONS)
def test_a_tile_is_no_larger_than_asked(size: int, options: dict[str, int]) -> None:
    made, multiple = line(size, **options), options["multiple"]
    if len(made.cuts) > 1:
        assert options["tile"] is not None
        kept = -(-options["tile"] // multiple) * multiple
        halo = -(-options["halo"] // multiple) * multiple
        assert all(length(cut.read) <= kept + 2 * halo for cut in made.cuts)
        assert all(length(cut.write) <= kept for cut in made.cuts[1:-1])


@given(SIZES, OPTIONS)
def test_no_more_is_read_than_kept_and_context(
    size: int, options: dict[str, int]
) -> None:
    """But for rounding to the grid, and one tile is not larger than the axis."""
    made, multiple = line(size, **options), options["multiple"]
    halo = -(-options["halo"] // multiple) * multiple
    count = len(made.cuts)
    read = sum(length(cut.read) for cut in made.cuts)
    assert read < made.padded + 2 * halo * (count - 1) + count * multiple + multiple


SPACE = st.fixed_dictionaries({a: st.integers(1, 3000) for a in "zyx"})


@given(SPACE, st.fixed_dictionaries({a: st.integers(8, 200) for a in "zyx"}))
def test_grown_tiles_compute_less(sizes: dict[str, int], kept: dict[str, int]) -> None:
    multiple, halo = dict.fromkeys("zyx", 4), dict.fromkeys("zyx", 24)
    found = grown(sizes, multiple, halo, kept, 2)
    before, after = (
        Plan(
            {
                a: line(sizes[a], multiple=4, halo=24, tile=tile)
                for a, tile in wish.items()
            }
        )
        for wish in (kept, found)
    )
    pixels = [math.prod(plan.tile.values()) for plan in (before, after)]
    assert pixels[1] * len(after) <= pixels[0] * len(before)
    room = 2 * math.prod(n + 48 for n in kept.values())
    assert pixels[1] <= max(room, pixels[0])


def test_the_paper_s_network_on_a_volume() -> None:
    """64 x 512 x 512 in six tiles, where the size of the description makes eighteen."""
    sizes, kept = {"z": 64, "y": 512, "x": 512}, {"z": 32, "y": 128, "x": 128}
    grid, halo = dict.fromkeys("zyx", 4), dict.fromkeys("zyx", 22)
    found = grown(sizes, grid, halo, kept, 2)
    plan = Plan({a: line(sizes[a], multiple=4, halo=22, tile=found[a]) for a in "zyx"})
    assert plan.tile["z"] == 64
    assert len(plan) == 6


@pytest.mark.parametrize("growth", [1, 1.5, 2, 4])
def test_no_other_tiles_compute_less(growth: float) -> None:
    """Against all kept sizes that lie on the grid."""
    sizes, kept = {"y": 150, "x": 212}, {"y": 32, "x": 32}
    grid, halo = dict.fromkeys("yx", 4), dict.fromkeys("yx", 12)

    def plan(y: int, x: int) -> Plan:
        made = (line(sizes["y"], multiple=4, halo=12, tile=y),)
        made += (line(sizes["x"], multiple=4, halo=12, tile=x),)
        return Plan(dict(zip("yx", made, strict=True)))

    def cost(of: Plan) -> int:
        return len(of) * math.prod(of.tile.values())

    room = growth * 56 * 56
    every = [plan(y, x) for y in range(32, 156, 4) for x in range(32, 216, 4)]
    fits = [each for each in every if math.prod(each.tile.values()) <= room]
    found = plan(**grown(sizes, grid, halo, kept, growth))
    assert math.prod(found.tile.values()) <= room
    assert cost(found) == min(map(cost, fits))


def test_the_plan_is_the_product_of_its_lines() -> None:
    lines = {"Y": line(10, tile=4), "X": line(9, multiple=4, halo=1, tile=4)}
    plan = Plan(lines)
    count = np.zeros((10, 9), int)
    for cuts in plan:
        count[cuts["Y"].write, cuts["X"].write] += 1
    np.testing.assert_array_equal(count, 1)
    assert len(plan) == len(list(plan)) == len(lines["Y"].cuts) * len(lines["X"].cuts)
    assert plan.tile == {"Y": 4, "X": 12}


def test_one_pixel() -> None:
    made = line(1, multiple=8, halo=20, tile=64)
    assert isinstance(made, Line)
    assert (made.padded, len(made.cuts)) == (8, 1)
