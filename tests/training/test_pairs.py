import numpy as np
import pytest

from care_runtime.errors import TrainingError
from care_training.pairs import Pair, split


def numbered(name, shape, field=""):
    pixels = np.arange(np.prod(shape)).reshape(shape)
    return Pair(name, pixels, pixels, field)


@pytest.mark.parametrize("count", [2, 5, 20])
def test_validation_is_of_other_images(count):
    pairs = [numbered(str(i), (1, 64, 64)) for i in range(count)]
    found = split(pairs, patch=(16, 16))
    training = {p.name for p in found.training}
    validation = {p.name for p in found.validation}
    assert not training & validation
    assert len(training) + len(validation) == count
    assert validation


def test_frames_of_one_field_stay_together():
    pairs = [numbered(f"{f}{t}", (1, 64, 64), f) for f in "abc" for t in range(4)]
    found = split(pairs, patch=(16, 16))
    assert not {p.field for p in found.training} & {p.field for p in found.validation}


@pytest.mark.parametrize("shape", [(1, 128, 40), (1, 40, 128), (2, 9, 40, 200)])
def test_one_image_is_cut_into_blocks_with_a_gap(shape):
    patch = (16,) * (len(shape) - 1)
    found = split([numbered("only", shape)], patch=patch)
    training, validation = found.training[0].low, found.validation[0].low
    assert not np.intersect1d(training, validation).size
    left = np.prod(shape) - training.size - validation.size
    assert left > 0  # the gap
    assert min(training.shape[-2:] + validation.shape[-2:]) >= 16


def test_blocks_keep_the_labels_and_the_clean_values_of_their_pixels():
    pixels = np.arange(128 * 40).reshape(1, 128, 40)
    pair = Pair("only", pixels, pixels, labels=pixels[0], clean=pixels, ready=True)
    found = split([pair], patch=(16, 16))
    for block in (*found.training, *found.validation):
        np.testing.assert_array_equal(block.labels, block.high[0])
        np.testing.assert_array_equal(block.clean, block.high)
        assert block.ready


def test_one_image_that_is_too_small_is_refused():
    with pytest.raises(TrainingError, match="too small"):
        split([numbered("only", (1, 32, 32))], patch=(16, 16))


def test_the_split_is_seeded():
    pairs = [numbered(str(i), (1, 64, 64)) for i in range(20)]
    names = [
        [p.name for p in split(pairs, patch=(16, 16), seed=s).validation]
        for s in (0, 0, 1)
    ]
    assert names[0] == names[1] != names[2]
