import numpy as np
import pytest

from care_runtime.errors import TrainingError
from care_training.simulate import (
    DOSES,
    Camera,
    filaments,
    nuclei,
    perlin_noise,
    sensor,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_camera_adds_shot_and_read_noise_and_the_order_of_draws_is_kept():
    clean = filaments((48, 64), rng())
    camera, draws = Camera(), rng(1)
    electrons = draws.poisson(camera.photons * (clean + camera.background))
    electrons = electrons + draws.normal(0, camera.read_noise, clean.shape)
    expected = np.rint(electrons / camera.gain + camera.offset).clip(0)
    np.testing.assert_array_equal(camera.expose(clean, rng(1)), expected)
    again = camera.expose(clean, rng(1), dose=1)
    np.testing.assert_array_equal(camera.expose(clean, rng(1)), again)


@pytest.mark.parametrize("kind", ["scmos", "emccd", "pmt"])
def test_variance_follows_the_mean(kind):
    camera = sensor(kind, photons=100.0, background=0.0)
    gain = camera.gain / camera.em_gain
    for dose in (1.0, 0.2):
        grey = camera.expose(np.ones(200_000), rng(), dose=dose)
        signal = (grey - camera.offset) * gain
        assert signal.mean() == pytest.approx(100 * dose, rel=0.01)
        noise = (camera.read_noise / camera.em_gain) ** 2 + gain**2 / 12
        expected = camera.excess * 100 * dose + noise
        assert signal.var() == pytest.approx(expected, rel=0.02)


def test_the_truth_is_the_mean_of_many_exposures():
    camera = sensor("emccd", photons=50.0)
    clean = np.linspace(0, 1, 5)
    frames = camera.expose(np.tile(clean, (20_000, 1)), rng())
    expected = camera.truth(clean, frames=1)
    np.testing.assert_allclose(frames.mean(0), expected, rtol=0.02)


def test_a_camera_cannot_lose_noise_and_must_be_known():
    with pytest.raises(TrainingError, match=r"excess is 0\.5"):
        Camera(excess=0.5)
    with pytest.raises(TrainingError, match="found 'film'"):
        sensor("film")


def test_doses_are_those_of_the_paper():
    inverse = {
        name: [1 / dose for dose in doses.conditions.values()]
        for name, doses in DOSES.items()
    }
    assert np.round(inverse["planaria"]).tolist() == [29, 58, 139]
    assert np.round(inverse["tribolium"]).tolist() == [40, 100, 200]
    assert np.round(inverse["flywing"]).tolist() == [20, 13, 8]


def test_sixty_fold_less_light_leaves_a_few_photons():
    planaria = DOSES["planaria"]
    brightest = planaria.camera.photons * planaria.conditions["C2"]
    assert 1 < brightest < 5
    frames = planaria.expose(np.ones((100, 100)), rng())
    assert list(frames) == ["GT", "C1", "C2", "C3"]
    ratio = {
        name: (frame.mean() - planaria.camera.offset) / frame.std()
        for name, frame in frames.items()
    }
    assert ratio["GT"] > 10 > 4 > ratio["C1"] > ratio["C2"] > ratio["C3"]
    assert list(planaria.expose(np.ones(3), rng(), "C2")) == ["C2"]
    with pytest.raises(TrainingError, match="C4"):
        planaria.expose(np.ones(3), rng(), "C4")


@pytest.mark.parametrize("shape", [(120, 150), (20, 60, 70), (1, 1)])
def test_perlin_noise_fills_its_range(shape):
    noise = perlin_noise(shape, rng(), period=20)
    assert noise.shape == shape
    assert noise.dtype == np.float32
    assert noise.min() == 0
    assert noise.max() == (1 if np.prod(shape) > 1 else 0)
    np.testing.assert_array_equal(noise, perlin_noise(shape, rng(), period=20))
    assert np.prod(shape) == 1 or not np.array_equal(
        noise, perlin_noise(shape, rng(1), period=20)
    )


def test_perlin_noise_is_smooth_within_a_period_and_forgets_beyond():
    noise = perlin_noise((400, 400), rng(), period=(16, 16), octaves=1)
    noise = noise - noise.mean()

    def correlation(lag):
        return (noise[lag:] * noise[: 400 - lag]).mean() / noise.var()

    assert correlation(1) > 0.95
    assert abs(correlation(40)) < 0.1
    # Of gradient noise, neighbouring lobes have opposite signs.
    assert correlation(12) < correlation(4)


def test_perlin_noise_has_a_period_for_each_axis():
    noise = perlin_noise((200, 200), rng(), period=(40, 5), octaves=1)
    steps = [np.abs(np.diff(noise, axis=axis)).mean() for axis in (0, 1)]
    assert steps[1] > 4 * steps[0]


@pytest.mark.parametrize("sketch", [filaments, nuclei])
def test_sketches_are_brightness(sketch):
    image = sketch((64, 96), rng())
    assert image.shape == (64, 96)
    assert (image.min(), image.max()) == (pytest.approx(0, abs=0.2), 1)
    np.testing.assert_array_equal(image, sketch((64, 96), rng()))
