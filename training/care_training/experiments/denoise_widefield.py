"""denoise_widefield: single widefield frames to the mean of 400, on real pairs.

The one model of the zoo that is not of the paper: it restores real, ordinary widefield
images, so that a person can try CARE before training a model of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_training.experiments.experiment import Experiment
from care_training.pairs import Pair
from care_training.recipe import get_recipe
from care_training.unet import UNetConfig

if TYPE_CHECKING:
    from pathlib import Path

STRUCTURES = ("tubulin", "mito", "actin")


def read_pairs(folder: Path) -> list[Pair]:
    """Read the W2S pairs: files ``w2s_{structure}_{noisy_avg1,gt_avg400}.tif``."""
    import tifffile

    pairs = []
    for structure in STRUCTURES:
        low = tifffile.imread(folder / f"w2s_{structure}_noisy_avg1.tif")
        high = tifffile.imread(folder / f"w2s_{structure}_gt_avg400.tif")
        pairs += [
            Pair(f"{structure}_{i:02d}", noisy[None], clean[None])
            for i, (noisy, clean) in enumerate(zip(low, high, strict=True))
        ]
    return pairs


EXPERIMENT = Experiment(
    name="denoise_widefield",
    read_pairs=read_pairs,
    # Every fifth image of each structure, named before the first training.
    held_back=(
        "tubulin_04",
        "tubulin_09",
        "tubulin_14",
        "tubulin_19",
        "mito_05",
        "actin_05",
    ),
    # One level deeper with a narrower kernel than the paper's 2-D default: the same
    # field of view (46 against 43 pixels) for a third of the arithmetic, which is what
    # a laptop has to pay at every image.
    network=UNetConfig(dims=2, depth=3, kernel=3, filters=24),
    recipe=get_recipe("default", patch=(128, 128)),
)
