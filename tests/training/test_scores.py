import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from care_runtime.score import affine_fit, score, ssim
from care_training import baselines


@pytest.mark.parametrize("shape", [(64, 80), (11, 30), (12, 11)])
def test_ssim_is_that_of_scikit_image(shape):
    rng = np.random.default_rng(0)
    x, y = gaussian_filter(rng.normal(size=(2, *shape)), (0, 2, 2))
    expected = structural_similarity(
        x,
        y,
        data_range=1.0,
        gaussian_weights=True,
        use_sample_covariance=False,
    )
    assert ssim(x, y) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (4, 3)])
def test_ssim_of_the_smallest_images(shape):
    x, y = np.random.default_rng(0).normal(size=(2, *shape))
    assert -1 <= ssim(x, y) <= 1
    assert ssim(x, x) == pytest.approx(1)


def test_scores_ignore_scale_and_offset(pairs):
    low, truth = pairs[0].low[0], pairs[0].high[0]
    a, b = score(low, truth), score(3.0 * low + 70, truth)
    assert a.psnr == pytest.approx(b.psnr)
    assert a.ssim == pytest.approx(b.ssim)
    assert score(truth, truth).psnr > 100


def test_nrmse_is_the_least_of_all_fits(pairs):
    low, truth = pairs[0].low[0].astype(float), pairs[0].high[0].astype(float)
    fitted = affine_fit(low, truth)
    best = np.mean((fitted - truth) ** 2)
    for slope, offset in ((1.01, 0), (1, 5), (0.99, -5)):
        assert np.mean((slope * fitted + offset - truth) ** 2) > best


def test_a_stack_is_the_mean_of_its_planes(pairs):
    stack = np.stack([p.high[0] for p in pairs])
    noisy = np.stack([p.low[0] for p in pairs])
    assert 0 < score(noisy, stack).ssim < 1


@pytest.mark.parametrize("method", baselines.ALL, ids=lambda m: m.name)
def test_baselines_denoise_at_their_best_strength(pairs, method):
    found = baselines.best(method, pairs[:2])
    before = [score(p.low[0], p.high[0]).psnr for p in pairs[:2]]
    assert found.scores.psnr > np.mean(before) + 3
    assert found.strength in method.strengths


def test_few_bright_pixels_are_scored_in_their_range():
    rng = np.random.default_rng(0)
    truth = np.full((200, 200), 100.0)
    truth[50, 50:60] = 300  # fewer than one in a thousand
    image = truth + rng.normal(0, 2, truth.shape)
    found = score(image, truth)
    assert found.psnr == pytest.approx(-20 * np.log10(2 / 200), abs=2)
    assert score(truth * 3 + 5, truth).nrmse < 1e-9
