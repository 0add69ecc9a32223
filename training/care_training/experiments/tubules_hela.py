"""tubules_hela: microtubules of HeLa cells in evanescent light (Fig. 4c, d)."""

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

SCOPE = Sharpening(OPTICS["hela"], 0.1, sensor("emccd", photons=80.0))


def tubules(rng: np.random.Generator, condition: str) -> Pair:
    """Draw one TIRF image of a network of microtubules, of one to ten frames."""
    length = rng.uniform(0.8, 2.5)  # sparse and dense fields
    scene = microtubules((192, 192), rng, pixel_size=0.1, length=length)
    return SCOPE.take(scene, rng, frames=int(rng.integers(1, 11)))


EXPERIMENT = Experiment(
    name="tubules_hela",
    source=Simulation(tubules, training=400, validation=16, test=16),
    network=UNetConfig(kernel=3, depth=3, filters=24),
    recipe=get_recipe("default"),
    baselines=(baselines.GAUSSIAN, baselines.deconvolution(SCOPE.psf())),
    measures=(resolution(SCOPE.pixel),),
    facts=Facts(
        origin="synthetic",
        data=(
            "Simulated fields of 192 x 192 pixels of 0.1 um, as in the paper: worm"
            "-like chains of 25 nm width and 30 um persistence length, a background of "
            "Perlin noise, a 100x/1.46 objective in total internal reflection at 510 "
            "nm, and an EMCCD camera with 80 photoelectrons in the brightest pixels "
            "of each of 1 to 10 frames, which are averaged. The target is the chains "
            "alone, with a width of 0.1 um."
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
        ARCHIVES["tubules"],
        Facts(
            origin="synthetic",
            data=(
                "The paper's own simulated patches of microtubules in TIRF images of "
                f"HeLa cells. {READY} {HELD_BACK} Baselines were tuned on the first "
                "half. Test tensors, sample and cover are one of the patches scored. "
                f"{CREDIT}"
            ),
            licence=LICENCE,
            limits=(
                "It draws filaments: whatever is thin and long becomes one, and dense "
                "tangles become fewer and straighter ones than there are.",
            ),
        ),
        "Sharpens microtubules in TIRF images, means of 1 to 10 frames, beyond the "
        "diffraction limit (Fig. 4c, d of the paper); trained on the paper's simulated "
        "HeLa cells.",
        baselines=(baselines.GAUSSIAN,),
    ),
)
