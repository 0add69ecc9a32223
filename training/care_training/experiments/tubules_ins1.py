"""tubules_ins1: microtubules of a beta cell, below the diffraction limit (Fig. 4b)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_training import baselines
from care_training.card import Facts
from care_training.datasets.edmond import ARCHIVES, LICENCE
from care_training.experiments.experiment import Experiment
from care_training.experiments.published import CREDIT, HELD_BACK, READY, Published
from care_training.experiments.seen import resolution, sample_of
from care_training.experiments.sharp import Sharpening
from care_training.recipe import get_recipe
from care_training.simulate import OPTICS, microtubules, sensor
from care_training.simulation import Simulation
from care_training.unet import UNetConfig

if TYPE_CHECKING:
    import numpy as np

    from care_training.pairs import Pair

SCOPE = Sharpening(OPTICS["tubules"], 0.08, sensor("scmos", photons=150.0))


def tubules(rng: np.random.Generator, condition: str) -> Pair:
    """Draw one widefield image of a network of microtubules."""
    length = rng.uniform(0.8, 2.5)  # sparse and dense fields
    return SCOPE.take(microtubules((192, 192), rng, length=length), rng)


EXPERIMENT = Experiment(
    name="tubules_ins1",
    source=Simulation(tubules, training=400, validation=16, test=16),
    network=UNetConfig(kernel=3, depth=3, filters=24),
    recipe=get_recipe("default"),
    baselines=(baselines.GAUSSIAN, baselines.deconvolution(SCOPE.psf())),
    measures=(resolution(SCOPE.pixel),),
    facts=Facts(
        origin="synthetic",
        data=(
            "Simulated fields of 192 x 192 pixels of 0.08 um, as in the paper: worm"
            "-like chains of 25 nm width and 30 um persistence length, a background of "
            "Perlin noise, a 60x/1.43 widefield microscope at 674 nm, and an sCMOS "
            "camera with 150 photoelectrons in the brightest pixels. The target is "
            "the chains alone, with a width of 0.1 um."
        ),
        licence="none needed: simulated by care-zoo",
        limits=(
            "It draws filaments: whatever is thin and long becomes one, and dense "
            "tangles become fewer and straighter ones than there are.",
        ),
    ),
    sample=sample_of(tubules),
    sharpens=True,
    published=Published(
        ARCHIVES["granules"],
        Facts(
            origin="synthetic",
            data=(
                "The paper's own simulated patches of microtubules in widefield images "
                f"of beta cells. {READY} {HELD_BACK} Baselines were tuned on the first "
                "half. Test tensors, sample and cover are one of the patches scored. "
                f"{CREDIT}"
            ),
            licence=LICENCE,
            limits=(
                "It draws filaments: whatever is thin and long becomes one, and dense "
                "tangles become fewer and straighter ones than there are.",
            ),
        ),
        "Sharpens microtubules in widefield images beyond the diffraction limit (Fig. "
        "4b of the paper); trained on the paper's simulated beta cells.",
        part="channel_tubules",
        baselines=(baselines.GAUSSIAN,),
    ),
)
