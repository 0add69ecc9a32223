"""How much a stack is blurred along Z, told by its spectrum."""

import numpy as np
import pytest
from scipy import ndimage

from care_training.axial import axial_blur


def volume(sigma, factor, seed=0):
    """Blur points alike in all directions, then along Z, and record few planes."""
    rng = np.random.default_rng(seed)
    points = (rng.random((160, 64, 96)) > 0.997).astype(float)
    image = ndimage.gaussian_filter(points, 2.0)
    if sigma:
        image = ndimage.gaussian_filter1d(image, sigma, axis=0)
    image = 200 * image[::factor] / image.max()
    return (rng.poisson(image + 10) + rng.normal(0, 2, image.shape))[None]


@pytest.mark.parametrize(
    ("sigma", "factor"), [(1.0, 2), (2.0, 2), (2.0, 4), (3.4, 4), (3.4, 8)]
)
def test_the_blur_is_found(sigma, factor):
    assert axial_blur(volume(sigma, factor), factor) == pytest.approx(sigma, rel=0.2)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_a_stack_as_sharp_along_z_is_not_blurred(factor):
    assert axial_blur(volume(0, factor), factor) < 0.2


def test_noise_does_not_tell():
    noise = np.random.default_rng(0).normal(size=(2, 20, 32, 32))
    assert axial_blur(noise, 4.0) is None


def test_units_do_not_matter():
    image = volume(2.0, 4)
    assert axial_blur(3 * image + 500, 4) == pytest.approx(axial_blur(image, 4))
