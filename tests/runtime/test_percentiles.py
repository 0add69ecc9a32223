"""Percentiles: numpy's to the last bit, whatever the type, the parts and the memory."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from care_runtime import pixels
from care_runtime.errors import ImageError
from care_runtime.percentiles import percentiles, percentiles_of

if TYPE_CHECKING:
    from pathlib import Path

NARROW = ["uint8", "int8", "uint16", "int16", "bool"]
WIDE = ["uint32", "int32", "uint64", "int64"]
FLOATS = ["float16", "float32", "float64"]
Q = (0.0, 0.1, 2.0, 33.3, 50.0, 99.0, 99.8, 99.99, 100.0)

FORMS: dict[str, Any] = {
    "normal": lambda rng, n: rng.normal(0, 1, n),
    "positive": lambda rng, n: rng.gamma(2, 100, n),
    "outliers": lambda rng, n: np.append(rng.normal(0, 1, n - 2), [1e30, -1e30]),
    "denormal": lambda rng, n: rng.normal(0, 3, n).round() * 5e-45,
    "scales": lambda rng, n: rng.normal(0, 1, n) * 10.0 ** rng.integers(-30, 30, n),
    "constant": lambda rng, n: np.full(n, 42.5),
    "two values": lambda rng, n: np.where(rng.random(n) < 0.02, 7.25, -3),
    "zeros": lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, -0.0),
    "integers": lambda rng, n: rng.integers(-300, 65536, n),
    "close": lambda rng, n: 1000 + rng.random(n) / 1000,
}


def expected(image: Any, q: Any, axes: Any = None) -> Any:
    """Let numpy measure what does not overflow in its own type."""
    wide = image.astype(np.promote_types(image.dtype, np.float32))
    return np.percentile(wide, q, axis=axes, keepdims=True)


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4", ">f8"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [2, 3, 1000, 70_001])
def test_floats_equal_numpy(dtype: str, form: str, size: int) -> None:
    image = FORMS[form](np.random.default_rng(size), size).astype(dtype)
    np.testing.assert_array_equal(percentiles(image, Q), expected(image, Q))


@pytest.mark.parametrize("dtype", [*NARROW, *WIDE, "float16", ">u2", ">i4"])
@pytest.mark.parametrize("size", [1, 2, 30_001])
def test_full_ranges_equal_numpy(dtype: str, size: int) -> None:
    rng = np.random.default_rng(size)
    bits = rng.integers(0, 256, size * np.dtype(dtype).itemsize, np.uint8)
    image = bits % 2 == 0 if dtype == "bool" else bits.view(dtype)
    image = image[np.isfinite(image)]
    np.testing.assert_array_equal(percentiles(image, Q), expected(image, Q))


@settings(max_examples=200)
@given(
    st.sampled_from([*NARROW, *WIDE, *FLOATS]).flatmap(
        lambda dtype: arrays.arrays(
            dtype,
            arrays.array_shapes(min_dims=1, max_dims=4, max_side=6),
            elements={"min_value": -1000, "max_value": 1000}
            if dtype in FLOATS
            else None,
        )
    ),
    st.lists(st.floats(0, 100), min_size=1, max_size=3),
)
def test_any_image_equals_numpy(image: Any, q: list[float]) -> None:
    np.testing.assert_array_equal(percentiles(image, q), expected(image, q))


@pytest.mark.parametrize("dtype", [*NARROW, *WIDE, *FLOATS, ">u2", ">f4"])
@pytest.mark.parametrize("over", [(0,), (1, 2), (0, 2), (2, 0), (0, 1, 2)])
def test_kept_axes(dtype: str, over: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 100, (3, 7, 11)).astype(dtype)
    np.testing.assert_array_equal(percentiles(image, Q, over), expected(image, Q, over))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_any_memory_layout(dtype: str, tmp_path: Path) -> None:
    base = np.random.default_rng(0).integers(0, 100, (6, 8, 10)).astype(dtype)
    mapped = np.memmap(tmp_path / "base", dtype, "w+", shape=base.shape)
    mapped[:] = base
    base.flags.writeable = False
    views = [
        base.T,
        base[::2, ::-1, 1::3],
        np.asfortranarray(base),
        np.broadcast_to(base[:1], base.shape),
        base[0, 0, 0],
        mapped.transpose(1, 2, 0)[::2],
    ]
    for view in views:
        view = np.asarray(view)
        np.testing.assert_array_equal(percentiles(view, Q), expected(view, Q))


@pytest.mark.parametrize("dtype", ["int32", "float16"])
def test_wide_ranges_do_not_overflow(dtype: str) -> None:
    top = np.finfo(dtype).max if dtype == "float16" else np.iinfo(dtype).max
    image = np.array([-top, top], dtype)
    found = percentiles(image, (25, 50)).ravel()
    np.testing.assert_allclose(found, [-0.5 * float(top), 0], rtol=1e-6)


def test_bool_counts_as_0_and_1() -> None:
    mask = np.arange(10) < 3
    expected = np.percentile(mask.astype(np.uint8), Q)
    np.testing.assert_array_equal(percentiles(mask, Q).ravel(), expected)


def test_long_doubles_are_measured_as_doubles() -> None:
    image = np.random.default_rng(0).normal(0, 1, 100)
    found = percentiles(image.astype(np.longdouble), Q)
    np.testing.assert_array_equal(found, expected(image, Q))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("sign", [1, -1])
def test_one_nan_is_seen(dtype: str, sign: int) -> None:
    image = np.arange(9).astype(dtype)
    image[4] = np.copysign(np.nan, sign)
    assert np.isnan(percentiles(image, (2, 50))).all()


@given(cuts=st.lists(st.integers(0, 500), max_size=6))
def test_parts_are_the_whole(cuts: list[int]) -> None:
    image = np.random.default_rng(0).normal(0, 1, 500).astype(np.float32)
    cut = sorted(cuts)
    found = percentiles_of(lambda: np.split(image, cut), Q)
    np.testing.assert_array_equal(found, expected(image, Q).ravel())


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_no_pixels(dtype: str) -> None:
    with pytest.raises(ImageError, match="found none"):
        percentiles(np.zeros((0, 5), dtype), Q)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_memory_does_not_grow(dtype: str) -> None:
    peaks = []
    slab = np.random.default_rng(0).gamma(2, 40, (4, 512, 512)).astype(dtype)
    for repeats in (2, 4):
        image = np.concatenate([slab] * repeats)
        tracemalloc.start()
        try:
            percentiles(image[:, ::-1].transpose(2, 0, 1), (2, 99.8))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    # A chunk, its keys and its digits, and six histograms; all in words of 8 bytes.
    assert peaks[1] < 8 * (5 * pixels.CHUNK + 4 * 6 * 2**16)
