"""Normalization: the affine map has an inverse, and no contrast is blank."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from care_runtime.normalize import Affine


@given(
    st.floats(-1e4, 1e4, width=32),
    st.floats(1, 1e4, width=32),
    arrays.arrays(np.float32, 16, elements=st.floats(-1e4, 1e4, width=32)),
)
def test_affine_has_an_inverse(low: float, width: float, x: Any) -> None:
    affine = Affine.between(np.array(low), np.array(low + width))
    np.testing.assert_allclose(affine.invert(affine(x)), x, rtol=1e-5, atol=1e-2)


def test_affine_maps_its_ends() -> None:
    affine = Affine.between(np.array(10.0), np.array(30.0))
    np.testing.assert_array_equal(affine(np.array([10, 30], np.uint8)), [0, 1])
    np.testing.assert_array_equal(affine.invert(np.float32([0, 1])), [10, 30])
    np.testing.assert_array_equal(affine.invert_scale(np.float32([0, 1])), [0, 20])
    assert affine(np.array([10], np.int64)).dtype == np.float32
    assert not affine.blank.any()


def test_no_contrast_is_blank() -> None:
    low, high = np.array([5.0, 5.0, 5.0]), np.array([5.0, 4.0, 6.0])
    affine = Affine.between(low, high)
    np.testing.assert_array_equal(affine.blank, [True, True, False])
    np.testing.assert_array_equal(affine.width, [1, 1, 1])


def test_a_plane_of_a_map() -> None:
    low = np.arange(6.0).reshape(2, 3, 1, 1)
    affine = Affine.between(low, low + 2)
    np.testing.assert_array_equal(affine.plane(1).low.ravel(), [1, 4])
    shared = Affine.between(low[:, :1], low[:, :1] + 2)
    np.testing.assert_array_equal(shared.plane(2).low.ravel(), [0, 3])
