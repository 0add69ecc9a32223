"""Training is CSBDeep's, as far as that can be said without Keras.

Its initial weights, its Adam, its learning rate and its order of patches are written
out here once more in NumPy; benchmarks/training_parity.py compares with CSBDeep itself.
"""

import math

import numpy as np
import pytest
import torch

from care_training import networks, schedule, train
from care_training.checkpoint import State
from care_training.patches import Patches
from care_training.projection import ProjectionConfig
from care_training.recipe import get_recipe
from care_training.unet import UNetConfig

RATE = get_recipe("paper").learning_rate


@pytest.mark.parametrize(
    "config",
    [
        UNetConfig(probabilistic=True),
        UNetConfig(dims=3, filters=16, channels_in=2, channels_out=1),
        ProjectionConfig(UNetConfig(kernel=3)),
    ],
    ids=["2-D", "3-D", "projection"],
)
def test_initial_weights_are_glorot_uniform_and_biases_zero(config):
    layers = [
        module
        for module in networks.build(config, 0).modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Conv3d)
    ]
    assert len(layers) >= 11
    for layer in layers:
        weight = layer.weight.detach().numpy().ravel()
        area = math.prod(layer.kernel_size)
        bound = math.sqrt(6 / (area * (layer.in_channels + layer.out_channels)))
        assert not layer.bias.any()
        assert np.abs(weight).max() <= bound
        # Kolmogorov and Smirnov's distance from a uniform distribution: above this
        # bound in one of a million draws.
        places = np.sort(weight) / (2 * bound) + 0.5
        steps = np.arange(len(places) + 1) / len(places)
        distance = max(np.max(steps[1:] - places), np.max(places - steps[:-1]))
        assert distance < 2.7 / math.sqrt(len(places))


class KerasPlateau:
    """ReduceLROnPlateau(factor=0.5, patience=10, min_delta=0), as CSBDeep sets it."""

    def __init__(self, rate):
        self.rate, self.best, self.wait = rate, None, 0

    def on_epoch_end(self, loss):
        if self.best is None or loss < self.best:
            self.best, self.wait = loss, 0
            return
        self.wait += 1
        if self.wait >= 10:
            self.rate, self.wait = self.rate * 0.5, 0


def test_the_plateau_schedule_is_that_of_keras(tiny, monkeypatch):
    rng = np.random.default_rng(0)
    falling = 0.1 + np.exp(-np.arange(120) / 15)
    losses = falling + rng.normal(0, 0.02, 120)
    losses[60] = losses[:60].min()  # equal to the best: no improvement
    recipe = get_recipe("paper")
    state = State(tiny, tiny, torch.optim.Adam(tiny.parameters()), rate=RATE)
    image = torch.zeros(1, 1, 8, 8)
    keras, best = KerasPlateau(RATE), None
    for epoch, loss in enumerate(losses):
        with torch.no_grad():
            tiny.head.bias.fill_(epoch)
        monkeypatch.setattr(train.losses, "loss", lambda *_, x=loss: torch.tensor(x))
        train._validate(state, recipe, [(image, image)], train.nullcontext(), 0.0)
        improved = keras.best is None or loss < keras.best
        best = epoch if improved else best  # ModelCheckpoint(save_best_only=True)
        keras.on_epoch_end(loss)
        assert schedule.rate(state, recipe) == keras.rate
        assert train._chosen(state, recipe)["head.bias"].item() == best
    assert keras.rate <= RATE / 16


class KerasAdam:
    """Adam(4e-4), by Keras' order of operations: epsilon before the correction."""

    def __init__(self, size):
        self.m, self.v, self.t = np.zeros(size), np.zeros(size), 0

    def step(self, weights, gradient):
        self.t += 1
        self.m += (gradient - self.m) * (1 - 0.9)
        self.v += (gradient**2 - self.v) * (1 - 0.999)
        alpha = RATE * math.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
        return weights - alpha * self.m / (np.sqrt(self.v) + 1e-7)


class Still:
    """Two patches, in every batch."""

    def batch(self, step, size):
        low, high = np.random.default_rng(0).random((2, size, 1, 8, 8), np.float32)
        return low, high


@pytest.mark.parametrize("scale", [1.0, 1e-5])  # gradients beside which epsilon counts
def test_a_step_is_one_of_keras_adam(scale, monkeypatch):
    """torch adds epsilon after the correction, so its first steps were larger."""
    mae = train.losses.loss
    monkeypatch.setattr(train.losses, "loss", lambda *values: scale * mae(*values))
    config = UNetConfig(depth=1, kernel=3, filters=4)
    ours, twin = networks.build(config), networks.build(config)
    keras = KerasAdam(sum(p.numel() for p in twin.parameters()))
    before = numbers(twin)
    low, high = (torch.from_numpy(images) for images in Still().batch(0, 2))
    for _ in range(5):
        (scale * (twin(low) - high).abs().mean()).backward()
        gradient = numbers(twin, "grad")
        after = keras.step(numbers(twin), gradient)
        torch.nn.utils.vector_to_parameters(
            torch.from_numpy(after.astype(np.float32)), twin.parameters()
        )
        twin.zero_grad()
    recipe = get_recipe("paper", steps=5, batch=2, keep="last", validate_every=5)
    train.fit(ours, Still(), Still(), recipe)
    moved = np.abs(after - before).max()
    np.testing.assert_allclose(numbers(ours), after, rtol=0, atol=1e-3 * moved)


def numbers(network, kind="data"):
    parts = [getattr(p, kind).numpy().ravel() for p in network.parameters()]
    return np.concatenate(parts).astype(float)


def test_patches_are_drawn_in_the_order_of_a_rolling_sequence(pairs):
    """Every patch once a pass, in another order; batches go on into the next pass."""
    patches = Patches(pairs[:1], (32, 32), pool=6, seed=1)
    seen = np.concatenate([patches.batch(step, 4)[0] for step in range(3)])
    _, names = np.unique(seen.reshape(12, -1), axis=0, return_inverse=True)
    assert sorted(names[:6]) == sorted(names[6:]) == list(range(6))
    assert list(names[:6]) != list(names[6:])
