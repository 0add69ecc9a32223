"""How a small ensemble judges itself: calibration, and what it never saw.

Trains an ensemble on simulated filaments, then measures on images that training never
saw: the expected calibration error, and the disagreement D on filaments and on nuclei,
which it never saw. Run with ``python benchmarks/trust.py``; some minutes on two cores.
"""

import argparse
import platform
import tempfile
from pathlib import Path

import numpy as np
import torch

import care_runtime
from care_training import card, describe, pairs
from care_training.calibration import foreground
from care_training.fit import Compute, fit, network
from care_training.kind import Kind
from care_training.pairs import Pair
from care_training.product import About, package
from care_training.recipe import get_recipe
from care_training.sample import Sample
from care_training.simulate import Camera, filaments, nuclei

SHAPE, IMAGES, TESTS = (128, 128), 160, 8
SEEDS = (0, 1, 2)


def simulated(draw, count: int, seed: int) -> list[Pair]:
    """Expose scenes to a camera."""
    camera, made = Camera(), []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        clean = draw(SHAPE, rng)
        low, high = camera.expose(clean, rng)[None], camera.truth(clean)[None]
        made.append(Pair(f"{draw.__name__}_{i}", low, high))
    return made


def train(folder: Path, seed: int, steps: int, members: int):
    """Train and export an ensemble."""
    split = pairs.split(simulated(filaments, IMAGES, seed), patch=(64, 64), seed=seed)
    recipe = get_recipe(
        "default",
        steps=steps,
        batch=8,
        patch=(64, 64),
        seed=10 * seed,
        validate_every=100,
    )
    kind = Kind(probabilistic=True, ensemble=members)
    made = network(kind.config("YX", (1, 1), {"kernel": 3, "filters": 16}), recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    compute = Compute(precision="fp32")
    trained = fit(made, split, recipe, compute, folder / f"trust{seed}.checkpoint.pt")
    spec = describe.describe(
        trained.network.form, name=f"trust {seed}", description="Simulated filaments."
    )
    facts = card.Facts("synthetic", "Simulated filaments.", "none needed")
    sample = Sample(split.validation[0].low, split.validation[0].high)
    about = About(f"trust{seed}", facts, sample, ())
    return package(trained, spec, about, split, folder / f"trust{seed}")[0]


def measure(model, seed: int) -> dict[str, float]:
    """Measure what the ensemble says about images it never saw."""
    restorer = care_runtime.load(model, device="cpu")
    own = simulated(filaments, TESTS, 1000 + seed)
    other = simulated(nuclei, TESTS, 2000 + seed)
    found = {"ECE": foreground(restorer, own, target="fitted").calibration().error}
    for name, images in (("filaments", own), ("nuclei", other)):
        d = [restorer(p.low, "CYX").outputs["disagreement"] for p in images]
        found[f"median D, {name}"] = float(np.median(d))
    found["ratio"] = found["median D, nuclei"] / found["median D, filaments"]
    return found


def main() -> None:
    """Train an ensemble for every seed, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp())
    print(f"{platform.machine()}, torch {torch.__version__}, {vars(options)}")
    for seed in options.seeds:
        model = train(out, seed, options.steps, options.members)
        row = measure(model, seed)
        print(f"seed {seed}: " + ", ".join(f"{k} {v:.4f}" for k, v in row.items()))


if __name__ == "__main__":
    main()
