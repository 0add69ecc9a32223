"""Operations: what bioimage.io's steps mean, against formulas written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiny import one_line

from care_runtime.errors import SpecError
from care_runtime.operations import STEPS, apply
from care_runtime.stepcheck import require_known
from care_runtime.tensor import Operation

X = np.random.default_rng(0).gamma(2, 5, (2, 5, 6)).astype(np.float32)
OTHER = 3 * X[::-1] + 7


def done(name: str, frame: Any = X, **kwargs: Any) -> Any:
    steps = [Operation(name, kwargs)]
    require_known(steps, "inputs[0].preprocessing", {"raw", "other"})
    result = apply(steps, frame, {"other": OTHER})
    assert result.dtype == np.float32
    return result


def moments(x: Any, *axes: int) -> tuple[Any, Any]:
    options: Any = {"axis": axes or None, "keepdims": True, "dtype": np.float64}
    return x.mean(**options), x.std(**options)


def test_no_steps_are_nothing() -> None:
    assert apply((), X) is X


@pytest.mark.parametrize(
    ("name", "kwargs", "expected"),
    [
        ("ensure_dtype", {"dtype": "uint8"}, X.astype("uint8")),
        ("scale_linear", {"gain": 2, "offset": -1.5}, 2 * X - 1.5),
        ("scale_linear", {"gain": [3.0]}, 3 * X),
        (
            "scale_linear",
            {"axis": "channel", "gain": [1, 2], "offset": [0, 5]},
            X * [[[1]], [[2]]] + [[[0]], [[5]]],
        ),
        ("clip", {"min": 2, "max": 9}, X.clip(2, 9)),
        ("clip", {"max": 9}, X.clip(None, 9)),
        (
            "clip",
            {"min_percentile": 10, "max_percentile": 90},
            X.clip(*np.percentile(X, (10, 90))),
        ),
        (
            "clip",
            {"min_percentile": 10, "max_percentile": 90, "axes": ["y", "x"]},
            X.clip(
                *np.percentile(
                    X, (10, 90), (1, 2), keepdims=True, method="inverted_cdf"
                )
            ),
        ),
        ("binarize", {"threshold": 6}, X > 6),
        ("binarize", {"threshold": [6, 8], "axis": "channel"}, X > [[[6]], [[8]]]),
        ("sigmoid", {}, 1 / (1 + np.exp(-X))),
        ("softmax", {}, np.exp(X) / np.exp(X).sum(0)),
        (
            "fixed_zero_mean_unit_variance",
            {"mean": [1, 2], "std": [3, 4], "axis": "channel"},
            (X - [[[1]], [[2]]]) / [[[3]], [[4]]],
        ),
        ("zero_mean_unit_variance", {}, (X - X.mean()) / X.std()),
        (
            "zero_mean_unit_variance",
            {"mode": "fixed", "mean": 5, "std": 2},
            (X - 5) / 2,
        ),
        (
            "scale_range",
            {"min_percentile": 5, "max_percentile": 95, "axes": ["x", "channel"]},
            (X - np.percentile(X, 5, (0, 2), keepdims=True))
            / np.ptp(np.percentile(X, (5, 95), (0, 2), keepdims=True), axis=0),
        ),
        ("scale_range", {"eps": 1.0}, (X - X.min()) / (np.ptp(X) + 1)),
        (
            "scale_range",
            {"reference_tensor": "other"},
            (X - OTHER.min()) / np.ptp(OTHER),
        ),
        ("scale_range", {"axes": ["b", "c", "y", "x"]}, (X - X.min()) / np.ptp(X)),
    ],
)
def test_what_a_step_does(name: str, kwargs: Any, expected: Any) -> None:
    expected = np.float32(expected)
    np.testing.assert_allclose(done(name, **kwargs), expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("axes", [("x",), ("y", "x"), ("channel", "y"), ("y",)])
def test_moments_over_any_axes(axes: tuple[str, ...]) -> None:
    places = tuple(["channel", "y", "x"].index(a) for a in axes)
    mean, std = moments(X, *places)
    found = done("zero_mean_unit_variance", axes=list(axes), eps=1e-3)
    np.testing.assert_allclose(found, (X - mean) / (std + 1e-3), rtol=1e-5, atol=1e-5)
    goal, width = moments(OTHER, *places)
    found = done("scale_mean_variance", axes=list(axes), reference_tensor="other")
    np.testing.assert_allclose(
        found, (X - mean) / std * width + goal, rtol=1e-4, atol=1e-3
    )


def test_integers_do_not_overflow() -> None:
    image = (np.arange(60, dtype=np.uint8) * 4).reshape(2, 5, 6)
    found = done("scale_linear", image, gain=100)
    np.testing.assert_array_equal(found, image.astype(np.float32) * 100)
    found = done("zero_mean_unit_variance", image.astype(np.uint16) + 60_000)
    assert abs(float(found.mean())) < 1e-5


def test_steps_measure_what_the_step_before_made() -> None:
    steps = [
        Operation("clip", {"max": 6}),
        Operation("scale_range", {}),
        Operation("binarize", {"threshold": 0.5}),
    ]
    low, high = X.min(), 6
    expected = (X.clip(None, 6) - low) / (high - low) > 0.5
    np.testing.assert_array_equal(apply(steps, X), expected)


@pytest.mark.parametrize(
    ("name", "kwargs", "match"),
    [
        ("stardist_postprocessing", {}, "stardist_postprocessing"),
        ("custom", {}, "custom"),
        ("clip", {"lowest": 3}, "lowest"),
        ("clip", {"min": "3"}, "min"),
        ("clip", {"min": [3]}, "min"),
        ("scale_linear", {"gain": []}, "gain"),
        ("scale_linear", {"gain": [None]}, "gain"),
        ("scale_linear", {"gain": float("nan")}, "gain"),
        ("scale_linear", {"gain": 10**60}, "gain"),
        ("scale_range", {"min_percentile": 101}, "min_percentile"),
        ("scale_range", {"axes": "yx"}, "axes"),
        ("scale_range", {"axes": 0}, "axes"),
        ("scale_range", {"axes": ["time"]}, "axes"),
        ("scale_range", {"axes": [["x"]]}, "axes"),
        ("scale_range", {"reference_tensor": "none"}, "reference_tensor"),
        ("scale_range", {"reference_tensor": []}, "reference_tensor"),
        ("scale_mean_variance", {}, "reference_tensor"),
        ("ensure_dtype", {}, "dtype"),
        ("ensure_dtype", {"dtype": "object"}, "dtype"),
        ("ensure_dtype", {"dtype": ["float32"]}, "dtype"),
        ("binarize", {}, "threshold"),
    ],
)
def test_what_is_refused_is_named(name: str, kwargs: Any, match: str) -> None:
    with pytest.raises(SpecError, match=match) as error:
        require_known([Operation(name, kwargs)], "inputs[0].preprocessing", {"raw"})
    assert "inputs[0].preprocessing[0]" in one_line(error.value)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("scale_linear", {"gain": [1, 2, 3]}),
        ("scale_linear", {"gain": [1, 2], "axis": "z"}),
        ("softmax", {"axis": "z"}),
        ("softmax", {"axis": "batch"}),
    ],
)
def test_what_does_not_fit_the_frame(name: str, kwargs: Any) -> None:
    with pytest.raises(SpecError, match="expected") as error:
        done(name, **kwargs)
    one_line(error.value)


def test_every_step_is_tried() -> None:
    assert len(STEPS) == 10


def test_percentiles_of_a_mask() -> None:
    steps = [
        Operation("binarize", {"threshold": 0.5}),
        Operation("clip", {"min_percentile": 5.0, "max_percentile": 95.0}),
    ]
    frame = np.arange(16, dtype=np.float32).reshape(1, 4, 4) / 10
    np.testing.assert_array_equal(apply(steps, frame), frame > 0.5)


def test_numbers_that_are_null_are_not_given() -> None:
    found = done("scale_linear", gain=None, offset=None)
    np.testing.assert_array_equal(found, X)
