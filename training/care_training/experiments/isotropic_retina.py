"""isotropic_retina: nuclei and their envelopes, 10.2 times as many planes (Fig. 3c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_training import baselines
from care_training.card import Facts
from care_training.datasets import retina
from care_training.datasets.edmond import ARCHIVES, LICENCE
from care_training.experiments.axial import Acquisition, isotropy
from care_training.experiments.experiment import Experiment
from care_training.experiments.published import CREDIT, HELD_BACK, READY, Published
from care_training.experiments.seen import sample_of
from care_training.isotropic import IsotropicConfig
from care_training.recipe import get_recipe
from care_training.simulate import OPTICS, envelopes, sensor, stained_nuclei
from care_training.simulation import Simulation
from care_training.unet import UNetConfig

if TYPE_CHECKING:
    import numpy as np

    from care_training.pairs import Pair

# Planes 2 um apart, as in the paper, and 10.2 pixels.
SCOPE = Acquisition(
    (OPTICS["retina_nuclei"], OPTICS["retina_envelope"]),
    pixel=2 / 10.2,
    factor=10.2,
    camera=sensor("emccd", photons=300.0),
)

SHAPE = (153, 160, 160)


def volume(
    rng: np.random.Generator, condition: str, shape: tuple[int, int, int] = SHAPE
) -> Pair:
    """Draw a stack of two channels and few planes, and what it would be with many."""
    scene = stained_nuclei(
        shape, rng, voxel_size=SCOPE.voxel, diameter=(4.0, 7.0), fill=0.36
    )
    shells = envelopes(scene.labels, rng, voxel_size=SCOPE.voxel)
    return SCOPE.take([scene.density, shells], rng, labels=scene.labels)


def small(rng: np.random.Generator, condition: str) -> Pair:
    """Draw a smaller stack, whose truth a package can carry."""
    return volume(rng, condition, (102, 80, 80))


def planes(rng: np.random.Generator, condition: str) -> Pair:
    """Draw a stack of few planes, and make its lateral planes look axial."""
    return SCOPE.degrade(volume(rng, condition), rng)


EXPERIMENT = Experiment(
    name="isotropic_retina",
    source=Simulation(volume, learn=planes, training=24, validation=3, test=3),
    network=IsotropicConfig(
        UNetConfig(kernel=3, filters=16, channels_in=2, channels_out=2)
    ),
    recipe=get_recipe("default", patch=(1, 96, 96), sharper=True),
    baselines=(
        baselines.interpolation(SCOPE.factor),
        *baselines.isotropic(SCOPE.psf(), SCOPE.factor),
    ),
    measures=(isotropy(SCOPE.factor),),
    facts=Facts(
        origin="semi-synthetic",
        data=(
            "Lateral planes of simulated stacks of two channels (15 x 160 x 160 "
            "voxels of 2.0 x 0.196 x 0.196 um; dense nuclei of 4 to 7 um and their "
            "envelopes, a 60x/1.3 spinning disk at 697 and 510 nm, an EMCCD camera), "
            "blurred along X as Z is and subsampled by 10.2. It never saw the "
            "isotropic truth, by which it is scored. The published recordings were "
            "not used."
        ),
        licence="none needed: simulated by care-zoo",
        limits=(
            "It is for planes 10.2 pixels apart, with nuclei in the first channel and "
            "their envelopes in the second.",
        ),
    ),
    sample=sample_of(small),
    published=Published(
        ARCHIVES["retina"],
        Facts(
            origin="semi-synthetic",
            data=(
                "The paper's patches of lateral planes of zebrafish retinas, of nuclei "
                "and nuclear envelopes, blurred and subsampled by 10.2 along X as "
                f"stacks are along Z, and stretched again. {READY} {HELD_BACK} What is "
                "scored is the 2-D network on such planes, not the restoration of "
                "stacks. Test tensors, sample and cover are a crop of a test stack. "
                f"{CREDIT}"
            ),
            licence=LICENCE,
            limits=(
                "It is for planes 10.2 pixels apart, with nuclei in the first channel "
                "and their envelopes in the second.",
            ),
        ),
        "Makes stacks of nuclei and their envelopes isotropic, with 10.2 times as many "
        "planes (Fig. 3c of the paper); trained on the paper's recordings of a retina.",
        read=retina,
        truth=False,
        crop=(16, 96, 96),
    ),
)
