"""Measurement: a resampled image is measured block by block as it would be whole."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import tiny

from care_runtime import measure
from care_runtime.care import Normalization
from care_runtime.job import make
from care_runtime.measure import measured, resampled
from care_runtime.resample import gather, samples, stretched

Q = (0.0, 2.0, 50.0, 99.8, 100.0)
SHAPE = (3, 2, 5, 6, 7)
"""T, C, Z, Y, X."""


def movie(dtype: str) -> Any:
    rng = np.random.default_rng(0)
    values = rng.gamma(2, 40, SHAPE) - (0 if dtype.startswith("u") else 50)
    return values.clip(max=120).astype(dtype)


def whole(image: Any, factors: dict[str, float], *, round_: bool) -> Any:
    """Resample a movie at once, as it must not be done for a large one."""
    axes = zip("CZYX", image.shape[1:], strict=True)
    lines = [samples(n, factors.get(a, 1.0)) for a, n in axes]
    return gather(image, lines, round_=round_)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", ">u2", "int32"])
@pytest.mark.parametrize("round_", [False, True])
@pytest.mark.parametrize("factor", [2.0, 5.2, 10.2, 0.5, 1.0])
@pytest.mark.parametrize("block", [1, 50, 1 << 20])
def test_blocks_of_integers(
    dtype: str, round_: bool, factor: float, block: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(measure, "BLOCK", block)
    image = movie(dtype)[:1, :, :, :3] if block == 1 else movie(dtype)
    found = resampled(image, Q, "ZYX", {"Z": factor}, round_=round_)
    stack = whole(image, {"Z": factor}, round_=round_)
    expected = np.percentile(stack, Q, axis=(0, 2, 3, 4), keepdims=True)
    np.testing.assert_allclose(found, expected[:, 0], rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("axis", ["Z", "Y", "X"])
@pytest.mark.parametrize("factor", [2.0, 5.2, 10.2])
@pytest.mark.parametrize("over", ["TZYX", "ZYX", "YX"])
def test_blocks_of_floats(
    dtype: str, axis: str, factor: float, over: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(measure, "BLOCK", 100)
    image, factors = movie(dtype), {axis: factor}
    found = resampled(image, Q, over, factors)
    axes = (0, *("TCZYX".index(a) for a in over if a != "T"))
    stack = whole(image, factors, round_=False)
    expected = np.percentile(stack, Q, axis=axes, keepdims=True)
    np.testing.assert_array_equal(found, expected[:, 0])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("over", ["ZYX", "TZYX"])
@pytest.mark.parametrize("round_", [False, True])
def test_each_input_is_measured_as_its_spec_says(
    when: str, over: str, round_: bool
) -> None:
    resample = tiny.resampled(2.5, when=when, round=round_)
    norm = Normalization(axes=over)
    spec = tiny.spec("identity3d", resample=resample, normalization=norm)
    image = movie("uint16")
    job = make(spec, "TCZYX", image.shape)
    seen = whole(image, {"Z": 2.5}, round_=round_) if when == "before" else image
    found = dict(measured(image[None], job, resample))
    assert list(found) == [(0, t, c) for t in range(3) for c in range(2)]
    for (_, t, c), affine in found.items():
        pixels = seen[:, c] if "T" in over else seen[t, c]
        low, high = np.percentile(pixels, (2, 99.8))
        assert affine.low.shape == (1, 1, 1, 1)
        np.testing.assert_allclose(affine.low, low, rtol=1e-6)
        np.testing.assert_allclose(affine.width, high - low, rtol=1e-6)


def test_nothing_is_resampled_where_nothing_is_measured(monkeypatch: Any) -> None:
    monkeypatch.setattr(measure, "gather", None)
    resample = tiny.resampled(2.0)
    spec = tiny.spec("identity3d", resample=resample)
    image = movie("float32")
    for wish in ("none", "values:3,8"):
        job = make(spec, "TCZYX", image.shape, normalize=wish)
        assert len(list(measured(image[None], job, resample))) == 6


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_memory_does_not_grow(dtype: str) -> None:
    peaks = []
    for planes in (4, 8):
        plane = np.random.default_rng(0).gamma(2, 40, (256, 256)).astype(dtype)
        image = np.broadcast_to(plane, (1, 1, planes, 256, 256))
        tracemalloc.start()
        try:
            resampled(image, (2, 99.8), "ZYX", {"Z": 8.0}, round_=dtype == "uint16")
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    # A block as it is interpolated, its keys and its digits, and six histograms.
    assert peaks[1] < 8 * (5 * measure.BLOCK + 4 * 6 * 2**16)


def test_planes_larger_than_a_block_are_cut(monkeypatch: Any) -> None:
    monkeypatch.setattr(measure, "BLOCK", 30)
    sizes = []

    def watched(*args: Any, **known: Any) -> Any:
        block = gather(*args, **known)
        sizes.append(block.size)
        return block

    monkeypatch.setattr(measure, "gather", watched)
    image = movie("float32")
    resampled(image, Q, "ZYX", {"Y": 10.2})
    assert max(sizes) <= 30
    # All voxels once in each of two passes; the first block tells the type.
    total = 3 * 2 * 5 * stretched(6, 10.2) * 7
    assert sum(sizes) == 2 * total + 2 * sizes[0]
