import numpy as np
import pytest

from care_runtime.errors import TrainingError
from care_training.pairs import Pair
from care_training.patches import Patches

PATCH = (32, 32)


def test_a_patch_is_a_function_of_its_number(pairs):
    patches, again = (Patches(pairs, PATCH, augment=True) for _ in range(2))
    for number in (7, 0, 123):
        for a, b in zip(patches[number], again[number], strict=True):
            np.testing.assert_array_equal(a, b)


def test_seeds_give_other_patches(pairs):
    low, other = (Patches(pairs, PATCH, seed=s)[0][0] for s in (0, 1))
    assert not np.array_equal(low, other)


def test_both_images_show_the_same_place(pairs):
    same = [Pair(p.name, p.high, p.high) for p in pairs]
    for augment in (False, True):
        low, high = Patches(same, PATCH, augment=augment).batch(0, 8)
        np.testing.assert_array_equal(low, high)


def test_a_batch_has_the_shape_and_range_of_the_paper(pairs):
    low, high = Patches(pairs, PATCH).batch(3, 8)
    assert low.shape == high.shape == (8, 1, *PATCH)
    assert low.dtype == high.dtype == np.float32
    assert -0.5 < high.min() < 0.2
    assert 0.5 < high.max() < 2


def test_patches_show_more_than_background():
    high = np.zeros((1, 200, 200), np.float32)
    high[0, 90:110, 90:110] = 100 + np.arange(20)
    pair = Pair("spot", high + np.linspace(0, 1, 200), high + np.linspace(0, 1, 200))
    _, found = Patches([pair], PATCH).batch(0, 32)
    assert (found.max(axis=(1, 2, 3)) > 0.5).all()


def test_a_volume_is_never_turned_along_z():
    ramp = np.broadcast_to(np.arange(16.0)[:, None, None], (16, 64, 64)).copy()
    ramp += np.random.default_rng(0).uniform(0, 0.1, ramp.shape)
    pair = Pair("ramp", ramp[None], ramp[None])
    low, _ = Patches([pair], (16, 32, 32), augment=True).batch(0, 16)
    assert (np.diff(low.mean(axis=(1, 3, 4)), axis=1) > 0).all()


def test_augmentation_gives_all_eight_symmetries(pairs):
    patches = Patches(pairs[:1], (96, 96), augment=True)
    found = {np.argmax(patches[i][1]) for i in range(64)}
    assert len(found) == 8


def test_a_fitted_target_is_as_bright_as_the_image(pairs):
    dim = [Pair(p.name, p.low, p.high // 3 + 500) for p in pairs]
    low, high = Patches(dim, PATCH, fitted=True).batch(0, 16)
    difference = (low - high).mean(axis=(1, 2, 3))
    assert abs(difference).max() < 0.05
    _, own = Patches(dim, PATCH).batch(0, 16)
    assert abs((low - own).mean(axis=(1, 2, 3))).max() > 0.05


def test_images_that_do_not_belong_together_are_named(pairs):
    wrong = Pair("wrong", pairs[0].low.max() - pairs[0].low, pairs[0].high)
    with pytest.raises(TrainingError, match="wrong do not correlate"):
        Patches([wrong], PATCH, fitted=True)


def test_a_pool_repeats_in_new_orders(pairs):
    patches = Patches(pairs, PATCH, pool=4)
    first, second = (
        [patches[i][1].tobytes() for i in range(turn * 16, turn * 16 + 16)]
        for turn in (0, 1)
    )
    assert sorted(first) == sorted(second)
    assert first != second


def test_an_image_without_contrast_is_named():
    flat = np.ones((1, 64, 64), np.uint16)
    with pytest.raises(TrainingError, match="high image of flat has no contrast"):
        Patches([Pair("flat", np.arange(4096).reshape(1, 64, 64), flat)], PATCH)


def test_an_image_smaller_than_a_patch_is_named(pairs):
    with pytest.raises(TrainingError, match="image0 measures"):
        Patches(pairs, (128, 128))
