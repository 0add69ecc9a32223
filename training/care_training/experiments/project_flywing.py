"""project_flywing: a stack becomes the epithelium that lies in it (Fig. 2, Fig. 5c)."""

from __future__ import annotations

import numpy as np

from care_training import baselines
from care_training.card import Facts
from care_training.datasets import flywing
from care_training.datasets.edmond import ARCHIVES, LICENCE
from care_training.ensemble import EnsembleConfig
from care_training.experiments.experiment import Experiment
from care_training.experiments.published import CREDIT, PLANE, READY, Published
from care_training.experiments.seen import cells, sample_of
from care_training.pairs import Pair
from care_training.projection import ProjectionConfig
from care_training.recipe import get_recipe
from care_training.simulate import DOSES, OPTICS, Tissue, blur, epithelium, project
from care_training.simulation import Simulation
from care_training.unet import UNetConfig

SHAPE = (50, 128, 128)
# Not in the paper: planes 1 um apart, and 20 um pixels of an EMCCD behind 63x.
VOXEL = (1.0, 0.32, 0.32)


def wing(
    rng: np.random.Generator, condition: str, shape: tuple[int, int, int] = SHAPE
) -> Pair:
    """Draw one stack at one light dose, and its full-dose projection."""
    scene = epithelium(shape, rng, Tissue(voxel_size=VOXEL))
    seen = blur(scene.density, OPTICS["flywing"].psf(VOXEL))
    seen /= np.percentile(project(seen, scene.height), 99.9)  # whatever the haze
    frames = DOSES["flywing"].expose(seen, rng, "GT", condition)
    # What the paper's PreMosa finds in the stack of full dose, without its mistakes.
    target = project(frames["GT"], scene.height)
    return Pair("", frames[condition][None], target[None], labels=scene.labels)


def shallow(rng: np.random.Generator, condition: str) -> Pair:
    """Draw a stack of fewer planes, whose test tensors a package can carry."""
    return wing(rng, condition, (24, *SHAPE[1:]))


EXPERIMENT = Experiment(
    name="project_flywing",
    source=Simulation(wing, ("C1", "C2", "C3"), training=150, validation=6, test=4),
    network=EnsembleConfig(
        ProjectionConfig(UNetConfig(kernel=3, probabilistic=True)), members=4
    ),
    recipe=get_recipe("default"),
    baselines=(
        *baselines.PROJECTIONS,
        baselines.followed(baselines.GRAPH_CUT, 0.5, baselines.NLM),
    ),
    measures=(cells(),),
    facts=Facts(
        origin="synthetic",
        data=(
            "Simulated stacks of 50 x 128 x 128 voxels (1.0 x 0.32 x 0.32 um): cells "
            "of 4.5 um with membranes on a curved sheet, haze and debris off it, "
            "through the optics of a 63x/1.3 spinning disk at 510 nm, and an EMCCD "
            "camera. The target is the true sheet in a stack of 120 photoelectrons in "
            "the brightest voxels; C1, C2 and C3 have 1/20, 1/13 and 1/8 of its "
            "light. Each network learns from all three. The published recordings were "
            "not used."
        ),
        licence="none needed: simulated by care-zoo",
        limits=(
            "It never saw a real image: on recordings it is a starting point "
            "(`care-train fit --init project_flywing`), not a finished tool.",
            "It projects one sheet; of two above each other it shows a mixture.",
        ),
    ),
    sample=sample_of(shallow, "C2"),
    published=Published(
        ARCHIVES["flywing"],
        Facts(
            origin="real",
            data=(
                "The paper's patches of developing fly wings: stacks of little light, "
                f"and projections by PreMosa of stacks of much light. {READY} Each "
                "network learns from all doses. Scores are on the published test time "
                "points, but for the first two: on crops of these the baselines were "
                "tuned. They are time points of the same movies, and look alike. Test "
                f"tensors, sample and cover are a crop of a test stack. {CREDIT}"
            ),
            licence=LICENCE,
            limits=(
                "It knows one microscope, one label and one tissue.",
                "It projects one sheet; of two above each other it shows a mixture.",
                "It learnt from projections by PreMosa, mistakes included.",
            ),
        ),
        "Projects the epithelium that lies in a stack, denoises it and tells how far "
        "to trust it (Fig. 2 and 5 of the paper); trained on the paper's recordings of "
        "fly wings.",
        read=flywing,
        tuned=2,
        shown="C1",
        crop=PLANE,
        baselines=(baselines.MAXIMUM, baselines.MAXIMUM_SMOOTHED),
    ),
)
