"""Baselines: laws of the classical methods, and exactness where they promise it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

from care_runtime.errors import ImageError, OptionError, TrainingError
from care_runtime.score import score
from care_training import baselines
from care_training.baselines import Baseline, deconvolve, graphcut, manifold, surface
from care_training.baselines.deconvolve import gaussian_psf, stretch, subsampled
from care_training.baselines.denoise import gaussian_in
from care_training.baselines.lucy import richardson_lucy
from care_training.baselines.packages import MissingPackageError, require
from care_training.baselines.srrf import srrf
from care_training.baselines.stabilize import ShotNoise
from care_training.pairs import Pair

FREE = pytest.mark.parametrize("method", baselines.FREE, ids=lambda m: m.name)


def sheet(shape=(24, 96, 96), noise=0.3, seed=0):
    """Membranes on a curved sheet, in noise; with the height of the sheet."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[tuple(slice(0, n) for n in shape)]
    height = 0.3 + 0.3 * y / shape[1] + 0.08 * np.sin(4 * x / shape[2])
    height = (shape[0] * height)[0]
    cells = ndimage.gaussian_filter(rng.normal(size=shape[1:]), 3)
    cells = np.exp(-0.5 * (cells / (0.3 * cells.std())) ** 2)
    clean = cells * np.exp(-0.5 * ((z - height) / 1.2) ** 2)
    return (clean + noise * rng.normal(size=shape)).astype(np.float32), height, cells


# Denoising


@FREE
@pytest.mark.parametrize("shape", [(24, 20), (5, 16, 18)])
def test_a_constant_stays_constant(method, shape):
    image = np.full(shape, 0.5, np.float32)
    for strength in method.strengths[:2]:
        np.testing.assert_allclose(method.function(image, strength), 0.5, atol=1e-6)
    np.testing.assert_array_equal(baselines.apply(method, image, 1.0), image)


@FREE
def test_an_image_keeps_its_brightness_and_loses_noise(method, pairs):
    low = pairs[0].low[0]
    strength = baselines.best(method, pairs[:1]).strength
    done = baselines.apply(method, low, strength)
    assert (done.shape, done.dtype) == (low.shape, np.float32)
    assert done.mean() == pytest.approx(low.mean(), rel=0.05)
    assert np.std(np.diff(done)) < 0.6 * np.std(np.diff(low.astype(float)))


@FREE
def test_a_stack_is_denoised(method):
    rng = np.random.default_rng(0)
    clean = ndimage.gaussian_filter(rng.normal(size=(6, 32, 32)), 3)
    clean = (clean - clean.min()) / np.ptp(clean)
    noisy = rng.poisson(20 * clean + 5).astype(np.float32)
    pair = Pair("stack", noisy[None], clean[None])
    middle = method.strengths[len(method.strengths) // 2]
    before = score(noisy, clean).psnr
    assert baselines.measure(method, middle, [pair]).scores.psnr > before + 1


def test_a_bilateral_filter_that_tolerates_all_is_a_gaussian_filter():
    image = np.random.default_rng(0).normal(size=(30, 31)).astype(np.float32)
    found = baselines.BILATERAL.function(image, 1e4)
    expected = ndimage.gaussian_filter(image, 2.0, truncate=3.0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_gaussian_in_um_is_narrower_along_coarse_axes():
    image = np.random.default_rng(0).random((8, 9, 10)).astype(np.float32)
    found = gaussian_in((2.0, 0.5, 0.5)).function(image, 1.2)
    wanted = ndimage.gaussian_filter(image, (0.3, 1.2, 1.2))
    np.testing.assert_array_equal(found, wanted)


def test_shot_noise_is_measured_and_made_equal():
    rng = np.random.default_rng(0)
    light = np.repeat(np.linspace(5, 80, 256)[None], 256, axis=0)
    image = 0.02 * (rng.poisson(light) + rng.normal(0, 2, light.shape))
    noise = ShotNoise.of(image)
    assert noise.gain == pytest.approx(0.02, rel=0.1)
    assert noise.floor == pytest.approx(0.02**2 * 4, rel=0.6)
    stable = noise.stabilize(image)
    for part in np.array_split(stable, 8, axis=1):
        rest = part - ndimage.uniform_filter1d(part, 9, axis=0)
        assert np.std(rest) == pytest.approx(np.sqrt(8 / 9), abs=0.1)


@pytest.mark.parametrize("photons", [2.0, 10.0, 100.0])
def test_the_inverse_has_no_bias(photons):
    noise = ShotNoise(0.05, 0.05**2 * 2)
    rng = np.random.default_rng(1)
    counts = rng.poisson(photons, 200_000) + rng.normal(0, np.sqrt(2), 200_000)
    mean = noise.stabilize(0.05 * counts).mean(keepdims=True)
    assert noise.restore(mean)[0] == pytest.approx(0.05 * photons, rel=0.02)


# Tuning


def test_the_best_of_the_grid_is_tuned_on_the_images_given(pairs):
    other = [Pair(p.name, p.high, p.high) for p in pairs]
    assert baselines.tune(baselines.GAUSSIAN, other[:1]) == 0.7
    strength = baselines.tune(baselines.GAUSSIAN, pairs[:2])
    grid = baselines.curve(baselines.GAUSSIAN, pairs[:2])
    assert strength > 0.7
    assert max(grid, key=lambda e: e.scores.psnr).strength == strength
    measured = baselines.measure(baselines.GAUSSIAN, strength, pairs[2:])
    assert measured.strength == strength
    assert (
        measured.scores.psnr
        <= baselines.best(baselines.GAUSSIAN, pairs[2:]).scores.psnr
    )


def test_tuning_sees_no_other_image(pairs):
    seen = []

    def spy(image, strength):
        seen.append(image)
        return image * strength

    method = Baseline("spy", spy, (1.0, 2.0))
    baselines.tune(method, pairs[:1])
    known = baselines.normalized(pairs[0].low[0])
    assert len(seen) == 2
    assert all(np.array_equal(image, known) for image in seen)


def test_no_images_are_an_error():
    with pytest.raises(TrainingError, match="found none"):
        baselines.tune(baselines.GAUSSIAN, [])


@pytest.mark.parametrize(
    "method",
    [*baselines.FREE, *baselines.PAPER, *baselines.PROJECTIONS],
    ids=lambda m: m.name,
)
def test_every_method_tells_where_it_comes_from(method):
    assert method.citation
    assert list(method.strengths) == sorted(set(method.strengths))


# Packages


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("bm3d", lambda: baselines.BM3D.function(np.eye(9, dtype=np.float32), 0.1)),
        ("bm4d", lambda: baselines.BM4D.function(np.eye(9, dtype=np.float32), 0.1)),
        ("nanopyx", lambda: srrf(np.zeros((3, 8, 8)))),
    ],
)
def test_a_missing_package_is_named_with_its_extra(monkeypatch, package, call):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingPackageError, match=rf"{package}.*care-zoo\[baselines-"):
        call()


def test_a_package_that_lacks_another_says_which(monkeypatch, tmp_path):
    (tmp_path / "halfhere.py").write_text("import not_there_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="not_there_at_all"):
        require("halfhere", "some")


@pytest.mark.parametrize("method", [baselines.BM3D_STABILIZED, baselines.BM4D])
def test_block_matching_denoises(method, pairs):
    pytest.importorskip(method.name[:4].lower())
    pair = Pair("crop", pairs[0].low[..., :32, :32], pairs[0].high[..., :32, :32])
    strength = 1.2 if "stabilized" in method.name else 0.2
    before = score(pair.low[0], pair.high[0]).psnr
    assert baselines.measure(method, strength, [pair]).scores.psnr > before + 3


# Surfaces


def brute(cost, smooth):
    """Try all surfaces."""
    depth, *plane = cost.shape
    best, found = np.inf, None
    for heights in itertools.product(range(depth), repeat=int(np.prod(plane))):
        height = np.reshape(heights, plane)
        if all(
            np.abs(np.diff(height, axis=i)).max(initial=0) <= smooth for i in (0, 1)
        ):
            total = np.take_along_axis(cost, height[None], 0).sum()
            if total < best:
                best, found = total, height
    return best, found


@pytest.mark.parametrize("smooth", [0, 1, 2])
@pytest.mark.parametrize("shape", [(4, 2, 3), (5, 1, 4), (1, 2, 2), (3, 1, 1)])
def test_no_surface_costs_less(shape, smooth):
    rng = np.random.default_rng(smooth)
    for cost in (rng.normal(size=shape), rng.normal(size=shape) * 1e5 - 3e5):
        least, expected = brute(cost, smooth)
        found = graphcut.least_surface(cost, smooth)
        np.testing.assert_array_equal(found, expected)
        total = np.take_along_axis(cost, found[None], 0).sum()
        assert total == pytest.approx(least)


@pytest.mark.parametrize("find", [graphcut.graph_cut_height, manifold.manifold_height])
def test_a_curved_sheet_is_found_in_noise(find):
    stack, height, cells = sheet()
    found = find(stack)
    assert np.mean(np.abs(found - height) <= 1) > 0.95
    for scaled in (stack * 300 + 1000, stack[:, ::-1]):
        again = find(scaled.astype(np.float32))
        again = again if scaled[0, 0, 0] > 500 else again[::-1]
        assert np.mean(np.abs(again - height) <= 1) > 0.95
    plane = surface.along(stack, found, 1.0).projection
    known, flat = (
        np.corrcoef(p.ravel(), cells.ravel())[0, 1] for p in (plane, stack.max(axis=0))
    )
    assert known > flat + 0.1


@pytest.mark.parametrize(("slope", "grid"), [(0.25, 4), (0.5, 4), (1.0, 1)])
def test_the_surface_is_nowhere_steeper_than_allowed(slope, grid):
    stack = np.random.default_rng(0).normal(size=(12, 22, 30)).astype(np.float32)
    height = graphcut.graph_cut_height(stack, slope=slope, grid=grid)
    assert height.shape == (22, 30)
    assert np.ptp(height) > 1
    for axis in (0, 1):
        assert np.abs(np.diff(height, axis=axis)).max() <= slope + 1e-5


@pytest.mark.parametrize("method", baselines.PROJECTIONS, ids=lambda m: m.name)
@pytest.mark.parametrize("shape", [(1, 9, 7), (6, 9, 7), (3, 1, 1)])
def test_a_constant_stack_projects_to_a_constant_plane(method, shape):
    stack = np.full(shape, 0.5, np.float32)
    for strength in method.strengths[:2]:
        found = method.function(stack, strength)
        np.testing.assert_allclose(found, np.full(shape[1:], 0.5), atol=1e-6)


def test_along_takes_planes_and_what_lies_between():
    stack = np.arange(5.0)[:, None, None] * np.ones((5, 3, 4))
    height = np.linspace(0, 4, 12).reshape(3, 4)
    found = surface.along(stack, height)
    np.testing.assert_allclose(found.projection, height, atol=1e-6)
    np.testing.assert_array_equal(found.height, height.astype(np.float32))


def test_a_projection_has_the_grey_values_of_its_stack():
    stack = 100 + 50 * sheet((12, 32, 32))[0]
    for method in baselines.PROJECTIONS:
        plane = baselines.apply(method, stack, method.strengths[-1])
        assert (plane.shape, plane.dtype) == ((32, 32), np.float32)
        assert stack.min() < plane.min() < plane.max() <= stack.max()


def test_a_projection_may_be_denoised():
    stack, _, cells = sheet((12, 48, 48))
    pair = Pair("sheet", stack[None], cells[None])
    strength = baselines.tune(baselines.GRAPH_CUT, [pair])
    both = baselines.followed(baselines.GRAPH_CUT, strength, baselines.TV)
    assert both.name == "graph cut + total variation"
    alone = baselines.measure(baselines.GRAPH_CUT, strength, [pair]).scores.psnr
    assert baselines.best(both, [pair]).scores.psnr > alone + 1


def test_surfaces_refuse_what_they_cannot_do():
    with pytest.raises(ImageError, match=r"stack \(Z, Y, X\)"):
        surface.maximum(np.zeros((4, 4)))
    with pytest.raises(ImageError, match="height map of the shape"):
        surface.along(np.zeros((3, 4, 4)), np.zeros((4, 5)))
    with pytest.raises(OptionError, match="greater slope or grid"):
        graphcut.graph_cut(np.zeros((3, 4, 4)), slope=0.1, grid=4)


# Deconvolution


@pytest.mark.parametrize("shape", [(31, 40), (11, 24, 22)])
def test_a_constant_scene_is_itself(shape):
    psf = gaussian_psf([1.0] * len(shape))
    found = richardson_lucy(np.full(shape, 3.0), psf, 10)
    np.testing.assert_allclose(found, 3.0, rtol=1e-3)


@pytest.mark.parametrize("tv", [0.0, 0.002])
@pytest.mark.parametrize("shape", [(41, 40), (17, 32, 30)])
def test_a_blurred_point_becomes_sharp_and_keeps_its_light(shape, tv):
    point = np.zeros(shape)
    point[tuple(n // 2 for n in shape)] = 1000
    psf = gaussian_psf([1.5] * len(shape))
    image = ndimage.gaussian_filter(point, 1.5)
    found = richardson_lucy(image, psf, 40, tv=tv)
    assert (found.shape, found.dtype) == (shape, np.float32)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1000, rel=0.02 if tv else 1e-3)
    assert np.argmax(found) == np.argmax(point)
    assert found.max() > 4 * image.max()


def test_light_at_the_border_makes_no_seam():
    rng = np.random.default_rng(0)
    scene = ndimage.gaussian_filter(rng.random((96, 96)), 3)
    image = ndimage.gaussian_filter(scene, 2.0)[16:-16, 16:-16]
    found = richardson_lucy(image, gaussian_psf([2.0, 2.0]), 20)
    error = np.abs(found - scene[16:-16, 16:-16]) / scene.mean()
    edge = np.ones(error.shape, bool)
    edge[4:-4, 4:-4] = False
    assert error[edge].mean() < 0.05


def test_the_psf_has_to_fit():
    image = np.ones((9, 9))
    for psf in (np.ones((4, 4)), np.ones((3, 3, 3)), -np.ones((3, 3))):
        with pytest.raises(OptionError, match="PSF of 2 axes"):
            richardson_lucy(image, psf)
    with pytest.raises(OptionError, match="1 iteration"):
        richardson_lucy(image, np.ones((3, 3)), 0)


@pytest.mark.parametrize("order", [1, 3])
def test_stretching_keeps_lines_straight(order):
    image = np.arange(12.0)[:, None] * np.array([1.0, -2.0, 0.5])
    found = stretch(image, 2.5, order=order)
    expected = np.linspace(0, 11, 30)[:, None] * np.array([1.0, -2.0, 0.5])
    assert found.shape == (30, 3)
    inner = slice(None) if order == 1 else slice(8, -8)
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.01)


def test_the_subsampled_psf_is_wider_along_z_only():
    psf = gaussian_psf([2.0, 1.0, 1.0])
    wide = subsampled(psf, 4.0)
    assert wide.sum() == pytest.approx(1)
    assert all(n % 2 for n in wide.shape)
    centre = np.array(ndimage.center_of_mass(wide)), np.array(wide.shape) // 2
    np.testing.assert_allclose(*centre, atol=1e-6)

    def width(image, axis):
        line = image.sum(axis=tuple({0, 1, 2} - {axis}))
        return np.sqrt(line @ (np.arange(line.size) - line.size // 2) ** 2)

    assert width(wide, 0) > 1.05 * width(psf, 0)
    assert width(wide, 1) == pytest.approx(width(psf, 1), rel=0.01)


def test_isotropic_baselines_have_the_size_of_the_truth():
    low = np.random.default_rng(0).random((6, 12, 12)).astype(np.float32)
    psf = gaussian_psf([2.0, 1.0, 1.0])
    plain = deconvolve.interpolation(3.0)
    for method in (plain, *deconvolve.isotropic(psf, 3.0)):
        assert method.function(low, method.strengths[0]).shape == (18, 12, 12)


def test_a_path_of_iterations_gives_what_each_number_gives():
    image = np.random.default_rng(0).random((12, 13)).astype(np.float32)
    method = baselines.deconvolution(gaussian_psf([1.5, 1.5]), tv=0.002)
    shown = list(method.each(image))
    assert len(shown) == len(method.strengths)
    for strength, found in zip(method.strengths, shown, strict=True):
        np.testing.assert_array_equal(found, method.function(image, strength))


def test_deconvolution_is_tuned_to_stop():
    rng = np.random.default_rng(0)
    scene = (rng.random((64, 64)) > 0.98) * 400.0
    scene = ndimage.gaussian_filter(scene, 0.7)
    image = rng.poisson(ndimage.gaussian_filter(scene, 2.0) + 2)
    pair = Pair("points", image[None], scene[None])
    method = deconvolve.deconvolution(gaussian_psf([2.0, 2.0]))
    before = score(image, scene).psnr
    assert baselines.best(method, [pair]).scores.psnr > before + 1


# Super-resolution


def test_srrf_refuses_what_is_no_movie():
    with pytest.raises(ImageError, match="movie"):
        srrf(np.zeros((4, 4)))
    with pytest.raises(OptionError, match="average"):
        srrf(np.zeros((4, 8, 8)), temporal="sum")


def test_srrf_over_parts_of_a_movie(monkeypatch):
    """Sums over parts give the average and the correlation of the whole."""
    module = __import__("care_training.baselines.srrf", fromlist=["srrf"])

    def fake():
        return lambda frames, times, radius: np.kron(frames, np.ones((1, times, times)))

    monkeypatch.setattr(module, "_radiality", fake)
    movie = np.random.default_rng(0).normal(size=(37, 4, 5))
    whole = np.kron(movie.astype(np.float32), np.ones((1, 2, 2)))
    found = srrf(movie, magnification=2)
    np.testing.assert_allclose(found, whole.mean(axis=0), atol=1e-6)
    rest = whole - whole.mean(axis=0)
    expected = np.abs(np.mean(rest[1:] * rest[:-1], axis=0))
    found = srrf(movie, magnification=2, temporal="correlation")
    np.testing.assert_allclose(found, expected, atol=1e-6)
