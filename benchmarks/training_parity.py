"""Training parity: the recipe ``paper`` against CSBDeep, and ``default`` against both.

All train the same network, for as many steps of as many patches, on the same patches of
simulated filaments, and are scored by the mean absolute error on the same patches of
other images, in double precision, with the weights that each would export:

- ``CSBDeep``: in an environment of its own, by its `CARE.train`; its weights are read
  by care_training.csbdeep, and its own score of them is compared;
- ``paper``: `care_training.train.fit`, other initial weights and order of patches;
- ``default``: its schedule, augmentation and average of weights. Two of its parts have
  no place here: patches that are normalized already have no target to be fitted, and
  are fixed, where it would cut new ones for ever;
- ``same start``: ``paper`` once more, from CSBDeep's initial weights of the first seed
  and on its very batches, so that only rounding is left, which grows with the steps.

Run with ``python benchmarks/training_parity.py --csbdeep PYTHON``, the interpreter of
an environment with csbdeep and tensorflow. Runs that the folder has are not made again;
each of the ten takes about a minute of one core.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import torch

from care_training import csbdeep, networks, train
from care_training.pairs import Pair
from care_training.patches import Patches, order, turned
from care_training.recipe import get_recipe
from care_training.simulate import Camera, filaments
from care_training.unet import UNetConfig

PATCH, BATCH = (64, 64), 16
TRAINING, HELD_BACK = (16, 256), (4, 64)
"""Images of 256 x 256 pixels, and the patches cut from them in all."""

DEFAULTS = {"seeds": 3, "epochs": 30, "steps": 16, "kernel": 3, "filters": 16}
"""Options; steps are those of an epoch."""

CAMERA = Camera(photons=10.0)
RIVALS = ("CSBDeep", "paper", "default", "same start")


class Fixed:
    """Patches that exist already, drawn in a given order, turned if asked to."""

    def __init__(self, low, high, order, *, seed: int = 0, turn: bool = False) -> None:
        self.low, self.high, self.order = low, high, order
        self.seed, self.turn = seed, turn

    def batch(self, step: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the batch of one step."""
        numbers = range(step * size, (step + 1) * size)
        low, high = zip(*[self.draw(number) for number in numbers], strict=True)
        return np.stack(low), np.stack(high)

    def draw(self, number: int) -> list[np.ndarray]:
        """Draw one patch."""
        images = [self.low[self.order[number]], self.high[self.order[number]]]
        rng = np.random.default_rng([self.seed, number])
        return turned(rng, images, quarters=True) if self.turn else images


def make_patches(file: Path) -> None:
    """Cut and normalize patches as the paper does, and write them."""
    arrays = {}
    for seed, (images, count) in enumerate((TRAINING, HELD_BACK)):
        pairs = []
        for i in range(images):
            rng = np.random.default_rng([seed, i])
            clean = filaments((256, 256), rng)
            low, high = CAMERA.expose(clean, rng), CAMERA.truth(clean)
            pairs.append(Pair(str(i), low[None], high[None]))
        name = "_held_back" if seed else ""
        low, high = Patches(pairs, PATCH, seed=seed).batch(0, count)
        arrays |= {f"low{name}": low, f"high{name}": high}
    np.savez(file, **arrays)


def run_csbdeep(folder: Path, seed: int, options: argparse.Namespace) -> dict:
    """Train with CSBDeep in its own environment."""
    config = {
        "unet_n_depth": 2,
        "unet_kern_size": options.kernel,
        "unet_n_first": options.filters,
        "train_batch_size": BATCH,
        "train_epochs": options.epochs,
        "train_steps_per_epoch": options.steps,
    }
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    threads = dict.fromkeys(names, str(options.threads))
    quiet = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""}
    script = str(Path(__file__).with_name("training_parity_csbdeep.py"))
    command = [options.csbdeep, script, str(folder), str(seed), json.dumps(config)]
    said = subprocess.check_output(command, env=os.environ | threads | quiet)
    found = json.loads(said.splitlines()[-1])
    found["score"] = score(csbdeep.read(folder / f"csbdeep_{seed}").network, folder)
    assert abs(found["score"] - found["own"]) < 1e-6, found
    return found


def run_ours(name: str, folder: Path, seed: int, options: argparse.Namespace) -> dict:
    """Train with a recipe of this project."""
    recipe = get_recipe(
        "default" if name == "default" else "paper",
        steps=options.epochs * options.steps,
        batch=BATCH,
        patch=PATCH,
        validate_every=options.steps,
        seed=seed,
    )
    data = np.load(folder / "patches.npz")
    turns, count = range(1 + recipe.steps * BATCH // TRAINING[1]), TRAINING[1]
    if name == "same start":
        network = csbdeep.read(folder / f"csbdeep_start_{seed}").network
        draws = np.random.RandomState(seed)  # CSBDeep's, which it seeds so
        numbers = np.concatenate([draws.permutation(count) for _ in turns])
    else:
        config = UNetConfig(kernel=options.kernel, filters=options.filters)
        network = networks.build(config, seed)
        numbers = np.concatenate([order(seed, turn, count) for turn in turns])
    turn = recipe.augment
    training = Fixed(data["low"], data["high"], numbers, seed=seed, turn=turn)
    held_back = range(HELD_BACK[1])
    validation = Fixed(data["low_held_back"], data["high_held_back"], held_back)
    started = time.perf_counter()
    history = train.fit(network, training, validation, recipe, precision="fp32")
    return {
        "losses": [entry["validation_loss"] for entry in history],
        "seconds": time.perf_counter() - started,
        "score": score(network, folder),
    }


@torch.no_grad()
def score(network: torch.nn.Module, folder: Path) -> float:
    """Mean absolute error over the patches held back, in double precision."""
    data, network = np.load(folder / "patches.npz"), deepcopy(network).double()
    restored = network(torch.from_numpy(data["low_held_back"]).double())
    return float((restored - torch.from_numpy(data["high_held_back"])).abs().mean())


def report(found: dict[str, list[dict]]) -> None:
    """Print the table."""
    theirs = [run["score"] for run in found["CSBDeep"]]
    print("         validation loss       to CSBDeep   in seed spreads   seconds")
    for name in RIVALS[:-1]:
        scores = [run["score"] for run in found[name]]
        mean, spread = statistics.mean(scores), statistics.stdev(scores)
        away = mean - statistics.mean(theirs)
        both = ((statistics.variance(theirs) + spread**2) / 2) ** 0.5
        seconds = statistics.mean(run["seconds"] for run in found[name])
        row = f"{name:8} {mean:.5f} +- {spread:.5f}   {away:+.5f}"
        print(f"{row}     {away / both:+11.1f}   {seconds:9.0f}")
    a, b = (np.array(found[n][0]["losses"]) for n in ("CSBDeep", "same start"))
    print("Same start, same batches: relative difference of the loss after each epoch")
    print(" ".join(f"{x:.0e}" for x in np.abs(b - a) / a))


def main() -> None:
    """Make patches, train everything, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--csbdeep", required=True, metavar="PYTHON")
    parser.add_argument("-o", "--folder", type=Path, default=Path("training_parity"))
    for name, number in DEFAULTS.items():
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    make_patches(folder / "patches.npz")
    found: dict[str, list[dict]] = {name: [] for name in RIVALS}
    for seed in range(options.seeds):
        for name in RIVALS if seed == 0 else RIVALS[:-1]:
            file = folder / f"{name} {seed}.json"
            if not file.exists():
                run = run_csbdeep if name == "CSBDeep" else partial(run_ours, name)
                file.write_text(json.dumps(run(folder, seed, options)), "utf-8")
            found[name].append(json.loads(file.read_text("utf-8")))
            print(f"{name}, seed {seed}: {found[name][-1]['score']:.5f}", flush=True)
    versions = found["CSBDeep"][0]["versions"] | {"torch": torch.__version__}
    print(", ".join(f"{name} {number}" for name, number in versions.items()))
    print(f"{platform.machine()}, {options.threads} thread(s)")
    print(f"{TRAINING[1]} patches of {PATCH}, batch {BATCH}", end="")
    print(*(f", {name} {getattr(options, name)}" for name in DEFAULTS), sep="")
    report(found)


if __name__ == "__main__":
    main()
