"""Normalization: percentiles are numpy's, and the affine map has an inverse."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from care_runtime.normalize import Affine, percentiles

INTEGERS = ["uint8", "int8", "uint16", "int16"]
WIDER = ["int32", "uint32", "int64", "float16", "float32", "float64"]
TINY = 1e-15
Q = (0.0, 2.0, 33.3, 50.0, 99.8, 100.0)


def images(dtypes: list[str]) -> Any:
    shapes = arrays.array_shapes(min_dims=1, max_dims=4, max_side=6)
    return st.sampled_from(dtypes).flatmap(
        lambda dtype: arrays.arrays(
            dtype,
            shapes,
            elements={"min_value": -1000, "max_value": 1000}
            if dtype.startswith("float")
            else None,
        )
    )


@settings(max_examples=150)
@given(images(INTEGERS), st.lists(st.floats(0, 100), min_size=1, max_size=3))
def test_histogram_equals_numpy(image: Any, q: list[float]) -> None:
    # numpy itself overflows where it interpolates in the type of the image.
    expected = np.percentile(image.astype(np.float64), q)
    np.testing.assert_allclose(percentiles(image, q).ravel(), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [*INTEGERS, *WIDER, ">u2", ">f4"])
@pytest.mark.parametrize("over", [(0,), (1, 2), (0, 2), (2, 0), (0, 1, 2)])
def test_kept_axes(dtype: str, over: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 100, (3, 7, 11)).astype(dtype)
    expected = np.percentile(image, Q, axis=over, keepdims=True)
    found = percentiles(image, Q, over)
    assert found.shape == expected.shape
    np.testing.assert_allclose(
        found, expected, rtol=1e-3 if dtype == "float16" else TINY
    )


@pytest.mark.parametrize("dtype", ["int32", "float16"])
def test_wide_ranges_do_not_overflow(dtype: str) -> None:
    top = np.finfo(dtype).max if dtype == "float16" else np.iinfo(dtype).max
    image = np.array([-top, top], dtype)
    found = percentiles(image, (25, 50)).ravel()
    np.testing.assert_allclose(found, [-0.5 * float(top), 0], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_any_memory_layout(dtype: str) -> None:
    base = np.random.default_rng(0).integers(0, 100, (6, 8, 10)).astype(dtype)
    base.flags.writeable = False
    views = [
        base.T,
        base[::2, ::-1, 1::3],
        np.asfortranarray(base),
        np.broadcast_to(base[:1], base.shape),
        base[0, 0, 0],
    ]
    for view in views:
        view = np.asarray(view)
        found = percentiles(view, Q).ravel()
        np.testing.assert_allclose(found, np.percentile(view, Q), rtol=1e-6)


def test_bool_counts_as_0_and_1() -> None:
    mask = np.arange(10) < 3
    expected = np.percentile(mask.astype(np.uint8), Q)
    np.testing.assert_array_equal(percentiles(mask, Q).ravel(), expected)


@pytest.mark.parametrize("shape", [(1, 1, 2048, 2048), (4 << 20,), (2, 2048, 1024)])
def test_a_histogram_holds_no_copy(shape: tuple[int, ...]) -> None:
    image = np.zeros(shape, np.uint16)
    tracemalloc.start()
    try:
        percentiles(image, Q)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * image.nbytes  # a copy as int64 has 4 times the bytes


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
