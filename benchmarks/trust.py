"""How a small ensemble judges itself: calibration, and what it never saw.

Trains an ensemble of projections on simulated epithelia, then measures on stacks that
training never saw: the expected calibration error, and the median disagreement D on
epithelia and on other structures, taken in the same way. D tells what members make
different guesses of; a structure that is made of the same parts need not be such a one,
so that all are printed. Run with ``python benchmarks/trust.py``; on two cores a quarter
of an hour for every seed.
"""

import argparse
import platform
import tempfile
from pathlib import Path

import numpy as np
import torch

from care_training import describe, pairs
from care_training.calibration import foreground
from care_training.fit import Compute, fit, network
from care_training.kind import Kind
from care_training.pairs import Pair
from care_training.product import in_torch
from care_training.recipe import get_recipe
from care_training.simulate import (
    DOSES,
    OPTICS,
    Tissue,
    blur,
    brightness,
    epithelium,
    microtubules,
    project,
    stained_nuclei,
)

SHAPE, IMAGES, TESTS = (16, 128, 128), 120, 6
SEEDS = (0, 1, 2)
VOXEL, DOSE = (1.0, 0.32, 0.32), "C2"
PSF = OPTICS["flywing"].psf(VOXEL)


def exposed(density: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take a stack of a scene at a low dose: (C, Z, Y, X)."""
    seen = brightness(blur(density.astype(np.float32), PSF))
    return DOSES["flywing"].expose(seen, rng, DOSE)[DOSE][None]


def wing(rng: np.random.Generator, name: str = "") -> Pair:
    """Take what the ensemble learns: one curved sheet of cells."""
    scene = epithelium(SHAPE, rng, Tissue(voxel_size=VOXEL))
    seen = blur(scene.density, PSF)
    seen /= np.percentile(project(seen, scene.height), 99.9)
    frames = DOSES["flywing"].expose(seen, rng, "GT", DOSE)
    target = project(frames["GT"], scene.height)
    return Pair(name, frames[DOSE][None], target[None])


def nuclei(rng: np.random.Generator) -> np.ndarray:
    """Take balls of 5 to 10 um all through the stack."""
    return exposed(stained_nuclei(SHAPE, rng, voxel_size=VOXEL).density, rng)


def tubules(rng: np.random.Generator) -> np.ndarray:
    """Take microtubules in six planes."""
    scene = np.zeros(SHAPE, np.float32)
    z = rng.integers(4, 8)
    scene[z : z + 6] = microtubules(SHAPE[1:], rng, pixel_size=VOXEL[1], length=0.3)
    return exposed(scene, rng)


def points(rng: np.random.Generator) -> np.ndarray:
    """Take points, as vesicles and beads are, all through the stack."""
    scene = np.zeros(SHAPE, np.float32)
    count = int(np.prod(SHAPE) * 3e-4)
    scene[tuple(rng.integers(0, n, count) for n in SHAPE)] = rng.lognormal(
        0, 0.5, count
    )
    return exposed(scene, rng)


def sheets(rng: np.random.Generator) -> np.ndarray:
    """Take two sheets above each other, where it learnt to expect one."""
    one, other = (
        epithelium(SHAPE, rng, Tissue(voxel_size=VOXEL)).density for _ in range(2)
    )
    return exposed(np.maximum(one, other[::-1]), rng)


def noise(rng: np.random.Generator) -> np.ndarray:
    """Take nothing at all."""
    return DOSES["flywing"].expose(np.zeros(SHAPE, np.float32), rng, DOSE)[DOSE][None]


OTHERS = (points, nuclei, sheets, tubules, noise)


def train(folder: Path, seed: int, steps: int, members: int, precision: str):
    """Train an ensemble, and make it restore."""
    learnt = [wing(np.random.default_rng([seed, i]), str(i)) for i in range(IMAGES)]
    split = pairs.split(learnt, patch=(64, 64), seed=seed)
    recipe = get_recipe(
        "default",
        steps=steps,
        batch=4,
        patch=(64, 64),
        validate_every=500,
        seed=10 * seed,
    )
    kind = Kind(projection=True, probabilistic=True, ensemble=members)
    made = network(kind.config("ZYX", (1, 1), {"kernel": 3}), recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    compute = Compute(precision=precision)
    trained = fit(made, split, recipe, compute, folder / f"trust{seed}.checkpoint.pt")
    form = trained.network.form
    return in_torch(trained.network, describe.describe(form, name="t", description="t"))


def measure(restorer, seed: int) -> dict[str, float]:
    """Measure what the ensemble says about stacks it never saw."""
    own = [wing(np.random.default_rng([1000 + seed, i])) for i in range(TESTS)]
    calibrated = foreground(restorer, own, target="percentiles").calibration()
    found = {
        "ECE": calibrated.error,
        "D epithelia": _median(restorer, [p.low for p in own]),
    }
    for draw in OTHERS:
        rngs = [np.random.default_rng([2000 + seed, i]) for i in range(TESTS)]
        low = [draw(rng) for rng in rngs]
        found[f"D {draw.__name__}"] = _median(restorer, low)
    own_ = found["D epithelia"]
    ratios = {d.__name__: found[f"D {d.__name__}"] / own_ for d in OTHERS}
    return found | {f"ratio {name}": ratio for name, ratio in ratios.items()}


def _median(restorer, stacks: list[np.ndarray]) -> float:
    found = [restorer(s, "CZYX").outputs["disagreement"] for s in stacks]
    return float(np.median(found))


def main() -> None:
    """Train an ensemble for every seed, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp())
    print(f"{platform.machine()}, torch {torch.__version__}, {vars(options)}")
    rows = []
    for seed in options.seeds:
        made = train(out, seed, options.steps, options.members, options.precision)
        rows.append(measure(made, seed))
        row = ", ".join(f"{k} {v:.4g}" for k, v in rows[-1].items())
        print(f"seed {seed}: {row}", flush=True)
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name:16} mean {np.mean(values):.4g}, sd {np.std(values):.2g}")


if __name__ == "__main__":
    main()
