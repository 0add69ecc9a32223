"""Axes: views of STCZYX, and refusals that say what is wrong."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import one_line

from care_runtime import axes
from care_runtime.errors import AxesError

SIZES = {"S": 2, "T": 3, "C": 4, "Z": 5, "Y": 6, "X": 7}
ORDERS = st.permutations("STCZYX").flatmap(
    lambda order: st.sets(st.sampled_from("STCZ")).map(
        lambda gone: "".join(a for a in order if a not in gone)
    )
)


@given(ORDERS)
def test_canonical_is_a_view_in_order(order: str) -> None:
    image = np.arange(np.prod([SIZES[a] for a in order]))
    image = image.reshape([SIZES[a] for a in order])
    view = axes.canonical(image, order)
    assert view.shape == tuple(SIZES[a] if a in order else 1 for a in "STCZYX")
    assert np.shares_memory(view, image)
    index = {a: SIZES[a] - 1 for a in order}
    there = view[tuple(index.get(a, 0) for a in "STCZYX")]
    assert there == image[tuple(index[a] for a in order)]


@given(ORDERS)
def test_check_accepts_every_order_in_any_case(order: str) -> None:
    shape = tuple(SIZES[a] for a in order)
    assert axes.check(order.lower(), shape) == order


@pytest.mark.parametrize(
    ("given_axes", "shape", "words"),
    [
        ("YXQ", (1, 1, 1), "STCZYX"),
        ("YYX", (1, 1, 1), "distinct"),
        ("ZYX", (4, 4), "(4, 4)"),
        ("ZY", (4, 4), "Y and X"),
        ("", (), "Y and X"),
    ],
)
def test_refusals(given_axes: str, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(AxesError) as error:
        axes.check(given_axes, shape)
    assert words in one_line(error.value)


def test_restored_axes() -> None:
    for order in map("".join, permutations("TZYX")):
        assert axes.restored_axes(order, channels_out=1, keeps_z=True) == order
        more = axes.restored_axes(order, channels_out=2, keeps_z=True)
        assert more.replace("C", "") == order
        flat = axes.restored_axes(order, channels_out=1, keeps_z=False)
        assert flat == order.replace("Z", "")
    assert axes.restored_axes("TYX", channels_out=2, keeps_z=True) == "TCYX"
    assert axes.restored_axes("YXC", channels_out=2, keeps_z=True) == "YXC"


def test_fit_names_what_is_missing() -> None:
    axes.fit("CZYX", (2, 4, 8, 8), "BCZYX", 1)
    axes.fit("YXC", (8, 8, 3), "BCYX", 3)
    with pytest.raises(AxesError, match=r"needs a Z axis.*'ZYX'"):
        axes.fit("TYX", (2, 8, 8), "BCZYX", 1)
    with pytest.raises(AxesError, match=r"needs 3 channels.*has 2"):
        axes.fit("CYX", (2, 8, 8), "BCYX", 3)
    with pytest.raises(AxesError, match=r"needs 3 channels.*has 1"):
        axes.fit("YX", (8, 8), "BCYX", 3)
