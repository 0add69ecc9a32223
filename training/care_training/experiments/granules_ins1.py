"""granules_ins1: insulin granules of a beta cell, sharpened (Fig. 4b)."""

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
from care_training.simulate import OPTICS, insulin_granules, sensor
from care_training.simulation import Simulation
from care_training.unet import UNetConfig

if TYPE_CHECKING:
    import numpy as np

    from care_training.pairs import Pair

SCOPE = Sharpening(OPTICS["granules"], 0.08, sensor("scmos", photons=150.0))


def granules(rng: np.random.Generator, condition: str) -> Pair:
    """Draw one widefield image of granules."""
    count = rng.uniform(0.3, 1.5)  # sparse and crowded fields
    return SCOPE.take(insulin_granules((192, 192), rng, count=count), rng)


EXPERIMENT = Experiment(
    name="granules_ins1",
    source=Simulation(granules, training=400, validation=16, test=16),
    network=UNetConfig(kernel=3, depth=3, filters=24),
    recipe=get_recipe("default"),
    baselines=(baselines.GAUSSIAN, baselines.deconvolution(SCOPE.psf())),
    measures=(resolution(SCOPE.pixel),),
    facts=Facts(
        origin="synthetic",
        data=(
            "Simulated fields of 192 x 192 pixels of 0.08 um, as in the paper: balls "
            "of 0.2 to 0.4 um, alone and in clusters, a background of Perlin noise, a "
            "60x/1.43 widefield microscope at 532 nm, and an sCMOS camera with 150 "
            "photoelectrons in the brightest pixels. The target is the balls alone, "
            "with edges of 0.1 um."
        ),
        licence="none needed: simulated by care-zoo",
        limits=(
            "It draws round spots of 0.2 to 0.4 um, whatever is small and bright.",
        ),
    ),
    sample=sample_of(granules),
    sharpens=True,
    published=Published(
        ARCHIVES["granules"],
        Facts(
            origin="synthetic",
            data=(
                "The paper's own simulated patches of secretory granules in widefield "
                f"images of beta cells. {READY} {HELD_BACK} Baselines were tuned on "
                "the first half. Test tensors, sample and cover are one of the patches "
                f"scored. {CREDIT}"
            ),
            licence=LICENCE,
            limits=("It draws round spots, whatever is small and bright.",),
        ),
        "Sharpens secretory granules in widefield images beyond the diffraction limit "
        "(Fig. 4b of the paper); trained on the paper's simulated beta cells.",
        part="channel_granules",
        baselines=(baselines.GAUSSIAN,),
    ),
)
