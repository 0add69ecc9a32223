"""Metrics: isotropy, resolution-scaled error and ring correlation by their laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from care_runtime import score as runtime
from care_runtime.errors import ImageError, OptionError
from care_training import metrics
from care_training.metrics import (
    ring_correlation,
    scaled_error,
    spectra,
    spectral_isotropy,
)

ISOTROPIC = (1.0, 1.0, 1.0)


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_errors_are_those_of_the_runtime():
    for name in ("Scores", "affine_fit", "score", "ssim"):
        assert getattr(metrics, name) is getattr(runtime, name)


# Spectrum


@pytest.mark.parametrize("shape", [(64, 24, 64), (48, 24, 65), (63, 24, 40)])
@pytest.mark.parametrize("sigma", [0, 1])
def test_an_isotropic_volume_has_a_ratio_near_1(shape, sigma):
    volume = ndimage.gaussian_filter(noise(shape), sigma)
    ratio = spectral_isotropy(volume, 3, voxel=ISOTROPIC)
    assert ratio == pytest.approx(1, abs=0.15)


def test_blur_along_z_lowers_the_ratio_and_along_x_raises_it():
    volume = noise((48, 16, 48))
    along_z = ndimage.gaussian_filter1d(volume, 2, axis=0)
    more = ndimage.gaussian_filter1d(volume, 4, axis=0)
    ratios = [spectral_isotropy(v, 4, voxel=ISOTROPIC) for v in (volume, along_z, more)]
    assert ratios[0] > 5 * ratios[1] > 5 * ratios[2]
    assert ratios[1] < 0.1
    swapped = spectral_isotropy(along_z.transpose(2, 1, 0), 4, voxel=ISOTROPIC)
    assert swapped == pytest.approx(1 / ratios[1])


def test_planes_that_were_left_out_are_missed():
    volume = ndimage.gaussian_filter(noise((61, 16, 60)), 1)
    stretched = ndimage.zoom(volume[::4], (61 / 16, 1, 1), order=1)
    assert spectral_isotropy(stretched, 4, voxel=ISOTROPIC) < 0.2


def test_isotropy_ignores_scale_and_offset():
    volume = noise((32, 4, 32))
    expected = spectral_isotropy(volume, 4, voxel=ISOTROPIC)
    found = spectral_isotropy(7 * volume + 300, 4, voxel=(0.3, 0.1, 0.3))
    assert found == pytest.approx(expected)


def test_spectra_of_white_noise_are_flat_and_show_where_a_blur_cuts():
    volume = noise((64, 32, 48))
    flat = spectra(volume, voxel=ISOTROPIC)
    assert flat.frequency.shape == flat.axial.shape == flat.lateral.shape == (24,)
    np.testing.assert_allclose(flat.axial[4:], 1, atol=0.3)
    np.testing.assert_allclose(flat.lateral[4:], 1, atol=0.3)
    blurred = ndimage.gaussian_filter1d(volume, 2.0, axis=0)
    cut = spectra(blurred, voxel=(0.5, 0.5, 0.5))
    assert cut.frequency[-1] == pytest.approx(1)
    np.testing.assert_allclose(cut.frequency, 2 * flat.frequency)
    assert cut.axial[12] < 1e-3 < 0.1 < cut.lateral[12]


def test_a_wave_is_found_at_its_frequency():
    x = np.arange(64)
    volume = np.broadcast_to(np.sin(2 * np.pi * x / 8), (64, 3, 64))
    found = spectra(volume, voxel=ISOTROPIC)
    peak = found.frequency[found.lateral.argmax()]
    assert peak == pytest.approx(1 / 8, abs=1 / 64)
    assert found.axial.max() < 1e-6 * found.lateral.max()


@pytest.mark.parametrize(
    ("volume", "voxel", "message"),
    [
        (noise((16, 4, 16)), (2.0, 1.0, 1.0), "isotropic"),
        (noise((16, 4, 16)), (0.0, 1.0, 1.0), "isotropic"),
        (noise((16, 16)), ISOTROPIC, "at least 8 planes"),
        (noise((4, 4, 16)), ISOTROPIC, "at least 8 planes"),
        (np.full((16, 4, 16), np.nan), ISOTROPIC, "NaN"),
        (np.full((16, 4, 16), 3), ISOTROPIC, "nothing to compare"),
    ],
)
def test_isotropy_refuses_what_it_cannot_measure(volume, voxel, message):
    with pytest.raises(ImageError, match=message):
        spectral_isotropy(volume, 4, voxel=voxel)


@pytest.mark.parametrize("factor", [1, 0.5, 1.001, float("nan")])
def test_isotropy_needs_a_factor_that_leaves_frequencies(factor):
    with pytest.raises(OptionError, match="factor above 1"):
        spectral_isotropy(noise((15, 4, 16)), factor, voxel=ISOTROPIC)


# Resolution-scaled error


def sharp(size: int = 96) -> np.ndarray:
    image = np.zeros((size, size))
    rng = np.random.default_rng(0)
    image[tuple(rng.integers(0, size, (2, 60)))] = rng.uniform(50, 100, 60)
    return ndimage.gaussian_filter(image, 1)


def test_squirrel_finds_the_blur_and_the_units():
    image = sharp()
    reference = 3 * ndimage.gaussian_filter(image, 2.3) + 40
    found = scaled_error(reference, image)
    assert found.sigma == pytest.approx(2.3, abs=0.02)
    assert found.alpha == pytest.approx(3, rel=0.02)
    assert found.beta == pytest.approx(40, rel=0.02)
    assert found.rse < 0.01 * reference.std()
    assert found.rsp > 0.999
    assert found.error.shape == reference.shape


def test_an_image_equals_itself():
    found = scaled_error(sharp(), sharp())
    assert found.sigma == pytest.approx(0, abs=0.1)
    assert found.rse == pytest.approx(0, abs=1e-6)
    assert found.rsp == pytest.approx(1)


def test_what_was_made_up_shows_in_the_map():
    image = sharp()
    reference = ndimage.gaussian_filter(image, 2)
    wrong = image.copy()
    wrong[30:34, 60:64] += 3 * image.max()
    found = scaled_error(reference, wrong)
    y, x = np.unravel_index(found.error.argmax(), found.error.shape)
    assert 28 <= y <= 35
    assert 58 <= x <= 65
    assert found.rse > 10 * scaled_error(reference, image).rse
    assert found.rse == pytest.approx(np.sqrt(np.mean(found.error**2)))


def test_a_magnified_image_is_binned():
    image = sharp(192)
    blurred = ndimage.gaussian_filter(image, 6)
    reference = blurred.reshape(64, 3, 64, 3).mean((1, 3))
    found = scaled_error(reference, image)
    assert found.sigma == pytest.approx(2, abs=0.02)
    assert found.error.shape == (64, 64)
    assert found.rsp > 0.999


@pytest.mark.parametrize(
    ("reference", "image", "message"),
    [
        (noise((20, 20)), noise((40, 60)), "a whole number of times larger"),
        (noise((20, 20)), noise((10, 10)), "a whole number of times larger"),
        (noise((3, 20, 20)), noise((3, 20, 20)), "a whole number of times larger"),
        (noise((20, 20)), np.ones((20, 20)), "structure in the image"),
        (np.ones((20, 20)), noise((20, 20)), "structure in the reference"),
        (noise((20, 20)), np.full((20, 20), np.inf), "infinite"),
    ],
)
def test_squirrel_refuses_what_it_cannot_compare(reference, image, message):
    with pytest.raises(ImageError, match=message):
        scaled_error(reference, image)


def test_squirrel_refuses_no_blur():
    with pytest.raises(OptionError, match="widest blur"):
        scaled_error(sharp(), sharp(), largest=0)


# Ring correlation


def test_white_noise_has_nothing_in_common():
    found = ring_correlation(noise((128, 128), 1), noise((128, 128), 2))
    assert np.abs(found.correlation[30:]).max() < 0.25
    assert abs(found.correlation.mean()) < 0.1
    assert found.resolution > 20


def test_an_image_agrees_with_itself_down_to_its_pixels():
    image = noise((64, 96))
    found = ring_correlation(image, 3 * image + 5, pixel=0.1)
    np.testing.assert_allclose(found.correlation, 1)
    assert found.frequency[-1] == pytest.approx(5)
    assert found.resolution == pytest.approx(0.2)
    assert ring_correlation(image, -image).resolution == float("inf")


@pytest.mark.parametrize("period", [4, 6, 10])
@pytest.mark.parametrize("shape", [(192, 192), (160, 201)])
def test_a_known_cutoff_is_found(period, shape):
    y, x = np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1])
    inside = np.hypot(y[:, None], x) < 1 / period
    common = np.fft.ifft2(np.fft.fft2(noise(shape)) * inside).real
    images = [common + common.std() * noise(shape, seed) for seed in (1, 2)]
    found = ring_correlation(*images, pixel=0.1)
    ring = 1 / min(shape)
    assert 0.1 / found.resolution == pytest.approx(1 / period, abs=2 * ring)
    coarse = ring_correlation(*images, pixel=0.1, threshold=0.9)
    assert coarse.resolution >= found.resolution


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (noise((20, 20)), noise((20, 21)), "of one shape"),
        (noise((8, 20)), noise((8, 20)), "at least 16"),
        (noise((20, 20)), np.zeros((20, 20)), "structure in both"),
        (noise((20, 20)), np.full((20, 20), np.nan), "NaN"),
    ],
)
def test_ring_correlation_refuses_what_it_cannot_compare(first, second, message):
    with pytest.raises(ImageError, match=message):
        ring_correlation(first, second)


@pytest.mark.parametrize("options", [{"pixel": 0}, {"threshold": 1}])
def test_ring_correlation_refuses_options_out_of_range(options):
    with pytest.raises(OptionError, match="pixel size above 0"):
        ring_correlation(noise((20, 20)), noise((20, 20)), **options)
