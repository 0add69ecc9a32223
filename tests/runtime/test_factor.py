"""Factor: by how much an image is stretched, and who says so."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tiny
from tiny import noise, one_line

from care_runtime import FactorWarning, Image, OptionError, Restorer
from care_runtime.options import factor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

CUBIC = tiny.resampled(3.0, cubic=True)
FIXED = tiny.resampled(3.0)


def image(voxel: Mapping[str, float], z: int = 6) -> Image:
    pixels = noise("ZYX", "float32", Z=z, Y=10, X=11)
    return Image(pixels, "ZYX", dict(voxel), "µm")


def restorer(**care: object) -> Restorer:
    return Restorer(tiny.spec("identity3d", **care), lambda x: [x])


SIZED = {"Z": 0.6, "Y": 0.2, "X": 0.2}


# who says so


@pytest.mark.parametrize(
    ("voxel", "wish", "default", "expected"),
    [
        (SIZED, None, CUBIC, 3.0),
        ({"Z": 0.603, "X": 0.2}, None, CUBIC, 3.015),
        ({"Z": 0.603, "X": 0.2}, None, FIXED, 3.0),
        (SIZED, 3.01, CUBIC, 3.01),
        (SIZED, 3.0, FIXED, 3.0),
        ({}, None, CUBIC, 3.0),
        ({}, 3.0, CUBIC, 3.0),
        ({"Z": 2.0}, None, CUBIC, 3.0),
        ({"X": 2.0}, None, CUBIC, 3.0),
        ({"Z": 99.0, "X": 1.0}, None, FIXED, 3.0),
        (SIZED, None, None, None),
        ({"Z": 99.0, "X": 1.0}, None, None, None),
        (SIZED, 2.0, None, 2.0),
    ],
)
def test_who_is_believed(voxel, wish, default, expected) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = factor_of(image(voxel), wish, default)
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("voxel", "wish", "default", "expected", "words"),
    [
        (
            {"Z": 0.8, "X": 0.2},
            None,
            CUBIC,
            4,
            ["as the ratio of voxel sizes says", "the model says 3"],
        ),
        ({"Z": 0.8, "X": 0.2}, 4.0, CUBIC, 4, ["as --factor says", "the model says 3"]),
        (SIZED, 4.0, CUBIC, 4, ["the ratio of voxel sizes says", "the model says 3"]),
        (SIZED, 4.0, FIXED, 4, ["the model says 3"]),
        ({}, 2.0, CUBIC, 2, ["the model says 3"]),
        ({}, 3.1, CUBIC, 3.1, ["the model says 3"]),
    ],
)
def test_those_who_disagree_are_named(voxel, wish, default, expected, words) -> None:
    with pytest.warns(FactorWarning) as caught:
        assert factor_of(image(voxel), wish, default) == pytest.approx(expected)
    said = [str(w.message) for w in caught]
    for word in words:
        assert any(word in line for line in said), said
    for line in said:
        assert "give the right one as --factor" in line
        assert len(line.splitlines()) == 1


@pytest.mark.parametrize(("factor", "warns"), [(3.05, 0), (2.95, 0), (3.09, 1)])
def test_two_percent_are_no_disagreement(factor: float, warns: int) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        factor_of(image({}), factor, CUBIC)
    assert [w.category for w in caught] == [FactorWarning] * warns


# restorations


@pytest.mark.parametrize("factor", [2.5, 3.0, 0.5])
@pytest.mark.parametrize("z", [1, 6, 7])
def test_planes_and_voxels_are_stretched(factor: float, z: int) -> None:
    # The model agrees, so that nothing is said.
    run = restorer(resample=tiny.resampled(factor))
    restored = run(image(SIZED, z), factor=factor)
    planes = max(1, round(z * factor))
    assert restored.image.shape == (planes, 10, 11)
    assert restored.voxel["Y"] == restored.voxel["X"] == 0.2
    # First and last plane lie where they lay.
    if min(z, planes) > 1:
        extent = restored.voxel["Z"] * (planes - 1)
        assert extent == pytest.approx(0.6 * (z - 1))
    assert restored.provenance["factor"] == f"{factor:g} along Z"


def test_voxel_sizes_choose_the_planes_of_isotropic_models() -> None:
    voxel = {"Z": 0.8, "Y": 0.2, "X": 0.2}
    with pytest.warns(FactorWarning, match="stretched by 4"):
        restored = restorer(resample=CUBIC)(image(voxel))
    assert restored.image.shape == (24, 10, 11)
    assert restorer(resample=FIXED)(image(voxel)).image.shape == (18, 10, 11)
    with pytest.warns(FactorWarning, match="stretched by 2, as --factor says"):
        restored = restorer(resample=CUBIC)(image(voxel), factor=2)
    assert restored.image.shape == (12, 10, 11)


def test_arrays_have_the_factor_of_the_model() -> None:
    pixels = noise("ZYX", "float32", Z=5, Y=10, X=11)
    for resample in (CUBIC, FIXED):
        assert len(restorer(resample=resample)(pixels, "ZYX").image) == 15


def test_a_factor_is_tiled_as_whole() -> None:
    source = image({"Z": 0.54, "Y": 0.2, "X": 0.2}, 9)
    run = restorer(resample=tiny.resampled(2.7, cubic=True))
    whole = run(source, tile="whole")
    tiled = run(source, tile=5)
    assert whole.image.shape == (24, 10, 11)
    np.testing.assert_array_equal(tiled.image, whole.image)


def test_a_model_that_does_not_stretch_has_no_factor() -> None:
    with pytest.raises(OptionError, match="stretches no axis") as error:
        restorer()(image(SIZED), factor=2)
    one_line(error.value)
    assert restorer()(image(SIZED)).image.shape == (6, 10, 11)


@pytest.mark.filterwarnings("ignore::care_runtime.FactorWarning")
@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf")])
def test_factors_that_are_none(factor: float) -> None:
    with pytest.raises(OptionError, match="factor above 0") as error:
        restorer(resample=FIXED)(image({}), factor=factor)
    one_line(error.value)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf")])
def test_a_factor_that_means_nothing_is_refused_without_a_warning(factor):
    resample = tiny.resampled(3.0)
    with pytest.raises(OptionError, match="above 0"):
        factor_of(image({}), factor, resample)
