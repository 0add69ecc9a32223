from dataclasses import replace

import numpy as np
import pytest
import torch

from care_runtime.errors import RecipeError, TrainingError
from care_training import networks, schedule, train
from care_training.isotropic import IsotropicConfig
from care_training.patches import Patches
from care_training.recipe import RECIPES, Recipe, get_recipe
from care_training.unet import UNet, UNetConfig

PATCH = (32, 32)
SHORT = {"steps": 12, "batch": 2, "patch": PATCH, "validate_every": 4}


def run(pairs, recipe, **options):
    torch.manual_seed(recipe.seed)
    network = UNet(UNetConfig(depth=1, kernel=3, filters=4))
    training = Patches(
        pairs[:3], PATCH, augment=recipe.augment, pool=recipe.pool, seed=recipe.seed
    )
    history = train.fit(network, training, Patches(pairs[3:], PATCH), recipe, **options)
    return network, history


def weights(network):
    return torch.cat([p.flatten() for p in network.parameters()]).detach().numpy()


@pytest.mark.parametrize("name", RECIPES)
def test_training_is_seeded(pairs, name):
    recipe = get_recipe(name, **SHORT)
    (a, _), (b, _) = run(pairs, recipe), run(pairs, recipe)
    np.testing.assert_array_equal(weights(a), weights(b))
    c, _ = run(pairs, replace(recipe, seed=1))
    assert not np.array_equal(weights(a), weights(c))


@pytest.mark.parametrize(("often", "left"), [(60.0, 4), (0.0, 3)])
@pytest.mark.parametrize("name", RECIPES)
def test_a_resumed_run_equals_an_unbroken_one(
    pairs, name, often, left, tmp_path, monkeypatch
):
    monkeypatch.setattr(train, "KEPT", often)
    recipe = get_recipe(name, **SHORT)
    unbroken, history = run(pairs, recipe)

    class Stopped(Exception):
        pass

    def stop(state):
        if state.step == 9:  # one step after that of a validation
            raise Stopped

    checkpoint = tmp_path / "run.pt"
    with pytest.raises(Stopped):
        run(pairs, recipe, checkpoint=checkpoint, progress=stop)
    steps = []
    resumed, again = run(
        pairs, recipe, checkpoint=checkpoint, progress=lambda s: steps.append(s.step)
    )
    assert steps == [9, 10, 11, 12][-left:]
    np.testing.assert_array_equal(weights(unbroken), weights(resumed))
    assert history == again


def test_a_finished_run_does_not_train_again(pairs, tmp_path):
    recipe = get_recipe("default", **SHORT)
    first, _ = run(pairs, recipe, checkpoint=tmp_path / "run.pt")
    steps = []
    second, _ = run(
        pairs, recipe, checkpoint=tmp_path / "run.pt", progress=steps.append
    )
    assert not steps
    np.testing.assert_array_equal(weights(first), weights(second))


def test_a_checkpoint_of_another_recipe_is_refused(pairs, tmp_path):
    run(pairs, get_recipe("default", **SHORT), checkpoint=tmp_path / "run.pt")
    other = get_recipe("default", **{**SHORT, "learning_rate": 1e-4})
    with pytest.raises(TrainingError, match="learning_rate"):
        run(pairs, other, checkpoint=tmp_path / "run.pt")


def test_a_checkpoint_of_another_precision_is_refused(pairs, tmp_path):
    run(pairs, get_recipe("default", **SHORT), checkpoint=tmp_path / "run.pt")
    with pytest.raises(TrainingError, match="precision"):
        run(
            pairs,
            get_recipe("default", **SHORT),
            checkpoint=tmp_path / "run.pt",
            precision="bf16",
        )


def test_a_damaged_checkpoint_is_one_clear_error(pairs, tmp_path):
    (tmp_path / "run.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match=r"run\.pt.*delete it"):
        run(pairs, get_recipe("default", **SHORT), checkpoint=tmp_path / "run.pt")


def test_training_lowers_the_loss(pairs):
    recipe = Recipe("test", steps=150, batch=4, patch=PATCH, validate_every=5)
    _, history = run(pairs, recipe)
    losses = [entry["validation_loss"] for entry in history]
    assert losses[-1] < 0.8 * losses[0]


def test_divergence_is_told(pairs):
    recipe = get_recipe("paper", **{**SHORT, "learning_rate": 1e30})
    with pytest.raises(TrainingError, match="diverged"):
        run(pairs, recipe)


def test_the_plateau_schedule_halves_after_ten_stale_validations(pairs):
    recipe = get_recipe("paper", **SHORT)
    network = UNet(UNetConfig(depth=1, kernel=3, filters=4))
    optimizer = torch.optim.Adam(network.parameters())
    state = train.State(network, network, optimizer, rate=1.0, best_loss=0.0)
    low, high = (torch.from_numpy(x) for x in Patches(pairs, PATCH).batch(0, 2))
    rates = []
    for _ in range(21):
        train._validate(state, recipe, [(low, high)], train.nullcontext(), 0.0)
        rates.append(schedule.rate(state, recipe))
    assert rates == [1.0] * 9 + [0.5] * 10 + [0.25] * 2


def test_the_cosine_schedule_ends_at_zero(tiny):
    recipe = Recipe("test", steps=1000)
    state = train.State(tiny, tiny, torch.optim.Adam(tiny.parameters()))
    rates = []
    for step in range(1000):
        state.step = step
        rates.append(schedule.rate(state, recipe))
    assert max(rates) == pytest.approx(recipe.learning_rate, rel=0.1)
    assert rates[0] < 0.02 * recipe.learning_rate
    assert rates[-1] < 1e-5 * recipe.learning_rate


def test_workers_change_nothing(pairs):
    recipe = get_recipe("default", **{**SHORT, "steps": 4})
    (a, _), (b, _) = run(pairs, recipe), run(pairs, recipe, workers=1)
    np.testing.assert_array_equal(weights(a), weights(b))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_an_error(pairs):
    with pytest.raises(TrainingError, match="sees no GPU"):
        run(pairs, get_recipe("default", **SHORT), device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_training_on_a_gpu(pairs):
    _, history = run(pairs, get_recipe("default", **SHORT), device="cuda")
    assert np.isfinite(history[-1]["validation_loss"])


def test_unknown_recipe():
    with pytest.raises(TrainingError, match="default, paper"):
        get_recipe("fast")


def test_patches_have_the_axes_of_their_network():
    planes = networks.form(IsotropicConfig(UNetConfig()))
    recipe = get_recipe("default", patch=(32, 48))
    assert recipe.for_form(planes).patch == (1, 32, 48)
    assert recipe.for_form(networks.form(UNetConfig())).patch == (32, 48)
    for form in (networks.form(UNetConfig(dims=3)), planes):
        with pytest.raises(RecipeError, match="of 3 sizes"):
            get_recipe("default", patch=(16,)).for_form(form)
