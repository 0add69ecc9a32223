"""Segmentation: SEG and matching against brute force, and the threshold."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.filters import threshold_otsu

from care_runtime.errors import ImageError, OptionError
from care_training.metrics import matching, seg, threshold_segmentation


def blobs(rng: np.random.Generator, shape: tuple[int, ...], top: int) -> np.ndarray:
    """Draw labels of coarse blocks, so that objects overlap in many ways."""
    coarse = rng.integers(0, top + 1, [-(-n // 3) for n in shape])
    for axis in range(len(shape)):
        coarse = np.repeat(coarse, 3, axis)
    shift = rng.integers(0, 3, len(shape))
    rolled = np.roll(coarse, shift, tuple(range(len(shape))))
    return rolled[tuple(slice(n) for n in shape)]


def ious(labels, truth):
    """Go through all pairs of objects and segments."""
    objects = [truth == i for i in np.unique(truth) if i]
    segments = [labels == i for i in np.unique(labels) if i]
    return (
        objects,
        segments,
        [[np.sum(r & s) / np.sum(r | s) for s in segments] for r in objects],
    )


def brute_seg(labels, truth):
    objects, segments, table = ious(labels, truth)
    scores = []
    for r, row in zip(objects, table, strict=True):
        covers = [np.sum(r & s) > 0.5 * np.sum(r) for s in segments]
        scores.append(max([j for j, c in zip(row, covers, strict=True) if c] or [0]))
    return np.mean(scores)


def brute_matches(labels, truth, iou):
    """Find the largest matching by trying all."""
    _, segments, table = ious(labels, truth)
    places = [*range(len(segments)), *[None] * len(table)]
    return max(
        sum(
            s is not None and row[s] >= iou for row, s in zip(table, order, strict=True)
        )
        for order in set(permutations(places, len(table)))
    )


@given(st.integers(0, 2**32), st.sampled_from([(12, 13), (5, 6, 7)]))
def test_seg_is_that_of_brute_force(seed, shape):
    rng = np.random.default_rng(seed)
    truth, labels = blobs(rng, shape, 4), blobs(rng, shape, 4)
    truth.flat[0] = 1
    assert seg(labels, truth) == pytest.approx(brute_seg(labels, truth))


@given(st.integers(0, 2**32), st.sampled_from([0.1, 0.2, 0.5, 0.8]))
def test_matching_is_that_of_brute_force(seed, iou):
    rng = np.random.default_rng(seed)
    truth, labels = blobs(rng, (9, 10), 3), blobs(rng, (9, 10), 3)
    truth.flat[0] = 1
    found = matching(labels, truth, iou)
    assert found.true_positives == brute_matches(labels, truth, iou)
    assert found.true_positives + found.false_negatives == len(
        np.unique(truth[truth > 0])
    )
    assert found.true_positives + found.false_positives == len(
        np.unique(labels[labels > 0])
    )


def test_the_truth_itself_is_best_and_nothing_is_worst():
    truth = blobs(np.random.default_rng(0), (12, 12, 6), 5)
    assert seg(truth, truth) == 1
    assert matching(truth, truth).f1 == 1
    nothing = matching(np.zeros_like(truth), truth)
    assert seg(np.zeros_like(truth), truth) == 0
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 0, 0)
    assert nothing.unmatched == 1


def test_numbers_of_objects_mean_nothing():
    rng = np.random.default_rng(1)
    truth, labels = blobs(rng, (24, 24), 6), blobs(rng, (24, 24), 6)
    renamed = np.array([0, 10**15, 3, 7, 2**40, 9, 11], np.uint64)[labels]
    assert seg(renamed, truth) == seg(labels, truth)
    assert matching(renamed, 5 * truth, 0.2) == matching(labels, truth, 0.2)
    high = (labels + 2**40) * (labels > 0) + 2**40 * (labels == 0)  # without background
    assert matching(high, truth).true_positives >= 0


def test_an_object_cut_in_halves_is_not_found():
    truth = np.ones((4, 4), int)
    labels = np.repeat([[1, 1, 2, 2]], 4, axis=0)
    assert seg(labels, truth) == 0
    assert matching(labels, truth).true_positives == 1  # at an IoU of exactly 0.5
    assert matching(labels, truth, 0.51).unmatched == 1


def test_thousands_of_nuclei_in_a_volume(monkeypatch):
    monkeypatch.setattr("care_training.metrics.overlap.SLAB", 100_000)
    truth = np.zeros((60, 120, 120), np.int32)
    spots = (slice(1, None, 4),) * 3
    truth[spots] = np.arange(1, 15 * 30 * 30 + 1).reshape(15, 30, 30)
    truth = ndimage.grey_dilation(truth, 3)
    lost = np.where(truth % 10 == 0, 0, truth)
    found = matching(lost, truth)
    assert found.unmatched == pytest.approx(0.1)
    assert (found.precision, found.recall) == (1, pytest.approx(0.9))
    assert found.f1 == pytest.approx(2 * 0.9 / 1.9)
    assert seg(lost, truth) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("labels", "truth", "message"),
    [
        (np.ones((3, 3), int), np.ones((3, 4), int), "shape of the ground truth"),
        (np.ones((3, 3)), np.ones((3, 3), int), "labels as whole numbers"),
        (np.ones((3, 3), int), -np.ones((3, 3), int), "truth as whole numbers"),
        (np.ones((3, 3), int), np.zeros((3, 3), int), "at least one object"),
    ],
)
def test_what_is_no_segmentation_is_refused(labels, truth, message):
    for metric in (seg, matching):
        with pytest.raises(ImageError, match=message):
            metric(labels, truth)


@pytest.mark.parametrize("iou", [0, -1, 1.1, float("nan")])
def test_an_iou_out_of_range_is_refused(iou):
    with pytest.raises(OptionError, match=r"\(0, 1\]"):
        matching(np.ones((2, 2), int), np.ones((2, 2), int), iou)


def test_threshold_finds_bright_blobs_by_otsu():
    rng = np.random.default_rng(0)
    truth = np.zeros((8, 40, 40), int)
    truth[2:6, 5:15, 5:15], truth[2:6, 20:34, 20:30] = 1, 2
    image = rng.normal(100, 3, truth.shape) + 50 * (truth > 0)
    labels = threshold_segmentation(image)
    assert labels.dtype == np.int32
    assert seg(labels, truth) == 1
    same = threshold_segmentation(image, float(threshold_otsu(image)))
    np.testing.assert_array_equal(labels, same)
    assert threshold_segmentation(image, smallest=10).max() == 2


def test_threshold_drops_what_is_small_and_numbers_the_rest():
    image = np.zeros((6, 6))
    image[0, 0] = image[2, 2:4] = image[3:5, 4:6] = 1
    assert threshold_segmentation(image, 0.5).max() == 3
    assert threshold_segmentation(image, 0.5, diagonal=True).max() == 2
    labels = threshold_segmentation(image, 0.5, smallest=3)
    np.testing.assert_array_equal(np.unique(labels), [0, 1])
    assert labels[4, 5] == 1
    assert threshold_segmentation(image, 0.5, smallest=5).max() == 0


def test_an_image_without_contrast_has_no_object():
    assert threshold_segmentation(np.full((5, 5), 7, np.uint16)).max() == 0


def test_threshold_refuses_what_means_nothing():
    image = np.zeros((4, 4))
    with pytest.raises(OptionError, match="finite threshold"):
        threshold_segmentation(image, float("nan"))
    with pytest.raises(OptionError, match="1 pixel or more"):
        threshold_segmentation(image, smallest=0)
    with pytest.raises(ImageError, match="NaN"):
        threshold_segmentation(image + np.nan)
    with pytest.raises(ImageError, match="at least a pixel"):
        threshold_segmentation(image[:0])
