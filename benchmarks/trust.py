"""How a small ensemble judges itself: calibration, and what it never saw.

Trains an ensemble on simulated images, then measures on others that training never saw:
the expected calibration error, and the median disagreement D on its own structure and
on others, taken in the same way (``scenes.py``). D tells what members make different
guesses of; a structure that is made of the same parts need not be such a one, so that
all are printed. Median over all pixels, and over bright ones: the brightest three in
ten, since the ground of a sparse image is the same whatever lies on it.

Run with ``python benchmarks/trust.py``; on two cores a quarter of an hour for every
seed.
"""

import argparse
import platform
import tempfile
from pathlib import Path

import numpy as np
import torch
from scenes import TASKS, Task
from scipy import ndimage

from care_training import describe, pairs
from care_training.calibration import foreground
from care_training.compute import Compute
from care_training.fit import fit, network, target
from care_training.kind import Kind
from care_training.product import in_torch
from care_training.recipe import get_recipe

TESTS = 6
"""Images of every structure that are measured."""

BRIGHT = 70
"""Percentile of the low image, projected and smoothed, from which a pixel is bright."""


def train(task: Task, folder: Path, seed: int, asked: argparse.Namespace):
    """Train an ensemble, and make it restore."""
    rngs = [np.random.default_rng([seed, i]) for i in range(task.images)]
    learnt = [task.own(rng, str(i)) for i, rng in enumerate(rngs)]
    changes = task.recipe | ({"steps": asked.steps} if asked.steps else {})
    recipe = get_recipe("default", validate_every=500, seed=10 * seed, **changes)
    split = pairs.split(learnt, patch=recipe.patch, seed=seed)
    kind = Kind(**task.kind, probabilistic=True, ensemble=asked.members)
    made = network(kind.config(task.axes, (1, 1), task.network), recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / f"{asked.task}{seed}.checkpoint.pt"
    trained = fit(made, split, recipe, Compute(precision=asked.precision), checkpoint)
    form = trained.network.form
    spec = describe.describe(form, name="t", description="t")
    return in_torch(trained.network, spec), target(form, recipe)


def measure(task: Task, restorer, seed: int, normalized: str) -> dict[str, float]:
    """Measure what the ensemble says about images it never saw."""
    rngs = [np.random.default_rng([1000 + seed, i]) for i in range(TESTS)]
    own = [task.own(rng, "") for rng in rngs]
    calibrated = foreground(restorer, own, target=normalized).calibration()
    mine = _medians(restorer, task, [pair.low for pair in own])
    found = {"ECE": calibrated.error, "own D": mine[0], "own D, bright": mine[1]}
    for draw in task.others:
        rngs = [np.random.default_rng([2000 + seed, i]) for i in range(TESTS)]
        all_, bright = _medians(restorer, task, [draw(rng) for rng in rngs])
        found[f"{draw.__name__}"] = all_ / mine[0]
        found[f"{draw.__name__}, bright"] = bright / mine[1]
    return found


def _medians(restorer, task: Task, lows: list[np.ndarray]) -> tuple[float, float]:
    """Take the median of D over all pixels, and over those that are bright."""
    found, bright = [], []
    for low in lows:
        disagreement = restorer(low, f"C{task.axes}").outputs["disagreement"][0]
        seen = low[0].max(axis=0) if "Z" in task.axes else low[0]
        seen = ndimage.gaussian_filter(seen.astype(np.float32), 1)
        found.append(disagreement.ravel())
        bright.append(disagreement[seen > np.percentile(seen, BRIGHT)])
    return tuple(float(np.median(np.concatenate(each))) for each in (found, bright))


def main() -> None:
    """Train an ensemble for every seed, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=TASKS, default="sharpening")
    parser.add_argument("--steps", type=int, help="Else what the task has.")
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--out", type=Path, help="Keeps checkpoints.")
    asked = parser.parse_args()
    task, out = TASKS[asked.task], asked.out or Path(tempfile.mkdtemp())
    print(f"{platform.machine()}, torch {torch.__version__}, {vars(asked)}", flush=True)
    rows = []
    for seed in asked.seeds:
        restorer, normalized = train(task, out, seed, asked)
        rows.append(measure(task, restorer, seed, normalized))
        row = ", ".join(f"{k} {v:.3g}" for k, v in rows[-1].items())
        print(f"seed {seed}: {row}", flush=True)
    print("| | " + " | ".join(f"seed {seed}" for seed in asked.seeds) + " |")
    for name in rows[0]:
        print(f"| {name} | " + " | ".join(f"{row[name]:.3g}" for row in rows) + " |")


if __name__ == "__main__":
    main()
