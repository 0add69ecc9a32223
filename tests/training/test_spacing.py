"""Where planes of a high stack lie among those of the low one, told by the images."""

import numpy as np
import pytest
from scipy import ndimage

from care_runtime.resample import gather, samples
from care_training.evaluate import comparable
from care_training.pairs import Pair
from care_training.spacing import registered


def scene(planes, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.random((planes, 40, 48)) > 0.99
    return 100 * ndimage.gaussian_filter(points.astype(np.float32), 2.5)[None]


def noisy(image, seed=1):
    return image + np.random.default_rng(seed).normal(0, 0.05, image.shape)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_planes_that_were_left_out(factor):
    """Plane k of the low stack is plane N k of the high one."""
    high = scene(6 * factor)
    pair = Pair("a", noisy(high[:, ::factor]), noisy(high, 2))
    (found,), moved = registered([pair], factor)
    assert moved
    assert found.high.shape == high.shape
    # First and last are planes that were kept, as those of the stretched image are.
    for plane, kept in ((0, 0), (-1, 5 * factor)):
        np.testing.assert_allclose(found.high[0, plane], pair.high[0, kept], atol=1e-4)
    before, after = (np.abs(comparable(p) - p.high).mean() for p in (pair, found))
    assert after < 0.8 * before


@pytest.mark.parametrize("factor", [2, 4])
def test_planes_from_end_to_end(factor):
    """As the runtime stretches, and as CSBDeep's zoom does."""
    high = scene(6 * factor)
    lines = [samples(6 * factor, 1 / factor), *(samples(n) for n in (40, 48))]
    pair = Pair("a", noisy(gather(high, lines)), noisy(high, 2))
    found, moved = registered([pair], factor)
    assert not moved
    assert found == [pair]
