"""denoise_planaria: nuclei of a flatworm at 1/29 to 1/139 of the light (Fig. 1c, d)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_training import baselines
from care_training.card import Facts
from care_training.datasets import planaria
from care_training.datasets.edmond import ARCHIVES, LICENCE
from care_training.experiments.experiment import Experiment
from care_training.experiments.published import CREDIT, READY, Published
from care_training.experiments.seen import noise_free, objects, sample_of
from care_training.pairs import Pair
from care_training.recipe import get_recipe
from care_training.simulate import DOSES, OPTICS, blur, brightness, stained_nuclei
from care_training.simulation import Simulation
from care_training.unet import UNetConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from care_training.simulate import Scene

SHAPE = (32, 128, 128)
# Not in the paper: planes 1 um apart, and 6.5 um pixels of an sCMOS behind 30x, binned
# for dim light by 1.5 at most.
VOXEL = (1.0, 0.3, 0.3)


def scene(rng: np.random.Generator) -> tuple[Scene, NDArray[np.float32]]:
    """Draw dense, touching nuclei, and their brightness in the microscope."""
    drawn = stained_nuclei(SHAPE, rng, voxel_size=VOXEL)
    return drawn, brightness(blur(drawn.density, OPTICS["planaria"].psf(VOXEL)))


def nuclei(rng: np.random.Generator, condition: str) -> Pair:
    """Draw one stack of nuclei at one light dose."""
    drawn, seen = scene(rng)
    frames = DOSES["planaria"].expose(seen, rng, "GT", condition)
    low, high = (frames[name][None] for name in (condition, "GT"))
    return Pair("", low, high, labels=drawn.labels, clean=seen[None])


EXPERIMENT = Experiment(
    name="denoise_planaria",
    source=Simulation(nuclei, ("C1", "C2", "C3"), training=150, validation=6, test=4),
    # Half the paper's width: a quarter of the arithmetic, on a laptop and in training.
    network=UNetConfig(dims=3, filters=16),
    recipe=get_recipe("default"),
    baselines=baselines.of_stacks(VOXEL),
    measures=(noise_free(), objects(sigma=(0.5, 1, 1), smallest=200)),
    facts=Facts(
        origin="synthetic",
        data=(
            "Simulated stacks of 32 x 128 x 128 voxels (1.0 x 0.3 x 0.3 um): nuclei "
            "of 5 to 10 um with chromatin, touching, through the optics of a 30x/1.05 "
            "spinning disk at 694 nm, and an sCMOS camera. The target is one exposure "
            "of 200 photoelectrons in the brightest voxels; C1, C2 and C3 have 1/29, "
            "1/58 and 1/139 of its light, the paper's doses. One network learns from "
            "all three. Noise-free dB is the PSNR against the brightness that was "
            "exposed. The published recordings were not used."
        ),
        licence="none needed: simulated by care-zoo",
        limits=(
            "It never saw a real image: on recordings it is a starting point "
            "(`care-train fit --init denoise_planaria`), not a finished tool.",
        ),
    ),
    sample=sample_of(nuclei, "C2"),
    published=Published(
        ARCHIVES["planaria"],
        Facts(
            origin="real",
            data=(
                "The paper's patches of fixed planaria, their nuclei stained with "
                f"RedDot1, at three light doses and at the usual one. {READY} One "
                "network learns from all doses. Scores are on the published test "
                "stacks, whole, but for the first two by name: on crops of these the "
                "baselines were tuned. Test tensors, sample and cover are a crop of a "
                f"test stack. {CREDIT}"
            ),
            licence=LICENCE,
            limits=("It knows one microscope, one stain and one species.",),
        ),
        "Denoises stacks of dense, stained nuclei at 1/29 to 1/139 of the usual light "
        "(Fig. 1c, d of the paper); trained on the paper's recordings of planaria.",
        read=planaria,
        tuned=2,
        shown="C2",
        baselines=(baselines.GAUSSIAN, baselines.MEDIAN),
    ),
)
