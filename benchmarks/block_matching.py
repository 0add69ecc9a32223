"""The denoising models of the zoo against BM4D, on stacks simulated for that alone.

BM4D takes minutes a stack to be tuned, so that the cards leave it out. Here its noise
is stabilized (`--plain` tries it without, too), its strength is the best one on
validation stacks of the same light dose, and it is scored on test stacks beside the
model: against the target, which is one exposure and noisy itself, as on the cards, and
against the brightness that was exposed, which only a simulation knows. It is free for
non-commercial use alone.
Run with ``python benchmarks/block_matching.py denoise_planaria``; needs the extras
``training`` and ``baselines-noncommercial``; on two cores a quarter of an hour a model.
"""

import argparse
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

import care_runtime
from care_runtime.score import score
from care_training.baselines import BM4D, BM4D_STABILIZED, best
from care_training.baselines.method import normalized
from care_training.reproduce import experiment


def main() -> None:
    """Tune, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["denoise_planaria", "denoise_tribolium"])
    parser.add_argument("--model", help="Else that of the zoo.")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--data", type=Path, default=Path("runs/data"))
    parser.add_argument("--dose", default="C2")
    parser.add_argument("--tuning", type=int, default=1, help="Validation stacks.")
    parser.add_argument("--seed", type=int, default=0, help="Of the test stacks.")
    asked = parser.parse_args()
    source = experiment(asked.name).source
    tests = source.tests(asked.data, asked.seed)[asked.dose]
    # Stacks are drawn in turn of the doses, those of validation too.
    place = list(source.conditions).index(asked.dose)
    tuning = source.tuning(asked.data, asked.seed)[place :: len(source.conditions)]
    tuning = tuning[: asked.tuning]
    clean = [p.clean[0] for p in tests]
    targets = {"the target": [p.high[0] for p in tests], "the brightness": clean}
    restorer = care_runtime.load(asked.model or asked.name)
    print(
        f"{asked.name} at {asked.dose}, {len(tests)} test stacks, {len(tuning)} to tune"
    )
    print(
        f"{platform.machine()}, bm4d {version('bm4d')}, seed {asked.seed}", flush=True
    )
    print("| method | against | PSNR dB | NRMSE | SSIM |\n|---|---|---|---|---|")
    show("input", [p.low[0] for p in tests], targets)
    restored = [restorer(p.low, "CZYX", dtype="float32").image[0] for p in tests]
    show("network", restored, targets)
    show("the brightness", clean, targets)
    for method in (BM4D_STABILIZED, *([BM4D] if asked.plain else [])):
        strength = best(method, tuning).strength
        made = [method.function(normalized(p.low[0]), strength) for p in tests]
        show(f"{method.name} ({strength:g})", made, targets)


def show(name: str, images: list, targets: dict[str, list]) -> None:
    """Print means and the deviation of the PSNR over the stacks, for each target."""
    for target, truths in targets.items():
        if name == target:
            continue
        found = [score(i, t) for i, t in zip(images, truths, strict=True)]
        psnr, nrmse, ssim = (
            np.array([getattr(s, what) for s in found])
            for what in ("psnr", "nrmse", "ssim")
        )
        print(
            f"| {name} | {target} | {psnr.mean():.2f} (sd {psnr.std():.2f}) "
            f"| {nrmse.mean():.4f} | {ssim.mean():.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
