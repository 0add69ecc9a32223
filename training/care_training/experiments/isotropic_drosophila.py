"""isotropic_drosophila: nuclei in a light sheet, Z made as fine as X (Fig. 3b)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_training import baselines
from care_training.card import Facts
from care_training.datasets import drosophila
from care_training.datasets.edmond import ARCHIVES, LICENCE
from care_training.experiments.axial import Acquisition, isotropy
from care_training.experiments.experiment import Experiment
from care_training.experiments.published import CREDIT, HELD_BACK, READY, Published
from care_training.experiments.seen import sample_of
from care_training.isotropic import IsotropicConfig
from care_training.recipe import get_recipe
from care_training.simulate import OPTICS, sensor, stained_nuclei
from care_training.simulation import Simulation
from care_training.unet import UNetConfig

if TYPE_CHECKING:
    import numpy as np

    from care_training.pairs import Pair

# Keller's light sheet: pixels of 0.406 um (k), planes five times as far apart.
SCOPE = Acquisition(
    OPTICS["drosophila"], pixel=0.4, factor=5.0, camera=sensor("scmos", photons=400.0)
)

SHAPE = (120, 128, 128)


def volume(
    rng: np.random.Generator, condition: str, shape: tuple[int, int, int] = SHAPE
) -> Pair:
    """Draw a stack of few planes, and what it would be with many."""
    scene = stained_nuclei(shape, rng, voxel_size=SCOPE.voxel)
    return SCOPE.take([scene.density], rng, labels=scene.labels)


def small(rng: np.random.Generator, condition: str) -> Pair:
    """Draw a smaller stack, whose truth a package can carry."""
    return volume(rng, condition, (120, 96, 96))


def planes(rng: np.random.Generator, condition: str) -> Pair:
    """Draw a stack of few planes, and make its lateral planes look axial."""
    return SCOPE.degrade(volume(rng, condition), rng)


EXPERIMENT = Experiment(
    name="isotropic_drosophila",
    source=Simulation(volume, learn=planes, training=24, validation=4, test=4),
    network=IsotropicConfig(UNetConfig(kernel=3)),
    recipe=get_recipe("default", patch=(1, 96, 96), sharper=True),
    baselines=(
        baselines.interpolation(SCOPE.factor),
        *baselines.isotropic(SCOPE.psf(), SCOPE.factor),
    ),
    measures=(isotropy(SCOPE.factor),),
    facts=Facts(
        origin="semi-synthetic",
        data=(
            "Lateral planes of simulated stacks (24 x 128 x 128 voxels of 2.0 x 0.4 x "
            "0.4 um; nuclei of 5 to 10 um, a 4 um light sheet at NA 0.8, an sCMOS "
            "camera), blurred along X as Z is and subsampled by 5. It never saw the "
            "isotropic truth, by which it is scored. The published recordings were "
            "not used."
        ),
        licence="none needed: simulated by care-zoo",
        limits=("It is for planes 5 pixels apart, and nuclei.",),
    ),
    sample=sample_of(small),
    published=Published(
        ARCHIVES["drosophila"],
        Facts(
            origin="semi-synthetic",
            data=(
                "The paper's patches of lateral planes of Drosophila embryos in a "
                "light sheet, blurred and subsampled by 5 along X as stacks are along "
                f"Z, and stretched again. {READY} {HELD_BACK} What is scored is the "
                "2-D network on such planes, not the restoration of stacks. Test "
                f"tensors, sample and cover are a crop of a test stack. {CREDIT}"
            ),
            licence=LICENCE,
            limits=("It is for planes 5 pixels apart, and nuclei.",),
        ),
        "Makes stacks of nuclei from a light sheet isotropic, with 5 times as many "
        "planes (Fig. 3b of the paper); trained on the paper's recordings of "
        "Drosophila.",
        read=drosophila,
        truth=False,
        crop=(16, 96, 96),
    ),
)
