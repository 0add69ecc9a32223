"""A real stack with nearly cubic voxels, subsampled, and made isotropic again.

Every fourth plane of a stack is kept; a network learns from the lateral planes of what
is left, as ``care-train fit --isotropic`` does, with ``--sharper`` and without, and
restores it. The scores are against the whole stack, beside linear and cubic
interpolation. Run
``python benchmarks/isotropic_real.py STACK.tif...``: (Z, Y, X) or (Z, C, Y, X).
"""

import argparse
import platform
import tempfile
from pathlib import Path

import numpy as np
import tifffile
import torch

import care_runtime
from care_runtime.package import Package
from care_runtime.resample import gather, samples
from care_runtime.restore import Restorer
from care_runtime.score import Scores, score
from care_training import export, networks, own
from care_training.baselines.deconvolve import stretch
from care_training.compute import Compute
from care_training.fit import network
from care_training.kind import Kind
from care_training.metrics import spectral_isotropy
from care_training.product import in_torch
from care_training.recipe import get_recipe
from care_training.request import Request, prepare


def subsampled(stack: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Keep few planes of a stack (C, Z, Y, X), where the runtime stretches from.

    Returns
    -------
    few, whole
        The planes kept, and as many as are restored from them.
    """
    count = int(stack.shape[1] / factor)
    whole = stack[:, : round(count * factor)]
    lines = [samples(n) for n in whole.shape[1:]]
    lines[0] = samples(whole.shape[1], count / whole.shape[1])
    return gather(whole, lines).astype(stack.dtype), whole


def scored(image: np.ndarray, truth: np.ndarray, factor: float) -> str:
    """Compare two stacks (C, Z, Y, X)."""
    s = Scores.mean([score(x, y) for x, y in zip(image, truth, strict=True)])
    ratio = np.mean([spectral_isotropy(x, factor, voxel=(1, 1, 1)) for x in image])
    return f"PSNR {s.psnr:6.2f} dB  SSIM {s.ssim:.3f}  isotropy {ratio:.3f}"


def unsharpened(package: Package) -> Restorer:
    """Take the network of a package without its gain of detail along Z."""
    made = network(networks.read(export.read_config(package)), 0, package)
    return in_torch(networks.sharper(made, (), 0.0), package.spec)


def main() -> None:
    """Restore every stack that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stacks", type=Path, nargs="+")
    parser.add_argument("--factor", type=float, default=4.0)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{platform.machine()}, torch {torch.__version__}, {vars(options)}")
    for path in options.stacks:
        stack = tifffile.imread(path)
        stack = stack[None] if stack.ndim == 3 else np.moveaxis(stack, 1, 0)
        few, whole = subsampled(stack, options.factor)
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            tifffile.imwrite(place / "few.tif", few, photometric="minisblack")
            request = Request(
                place / "few.tif",
                None,
                "CZYX",
                "real stack",
                place / "out",
                get_recipe(
                    "default",
                    steps=options.steps,
                    batch=8,
                    seed=options.seed,
                    sharper=True,
                ),
                Compute(precision="bf16"),
                architecture={"kernel": 3, "filters": 16},
                kind=Kind(isotropic=options.factor),
            )
            prepared = prepare(request)
            package, _ = own.train(request, prepared)
            restorer = care_runtime.load(package, device="cpu")
            made = restorer(few, "CZYX", dtype="float32").image
            plain = unsharpened(package)(few, "CZYX", dtype="float32").image
        print(f"{path.name}: {few.shape} -> {whole.shape}, {prepared.degradation}")
        rows = {"truth": whole, "network": plain, "sharper": made}
        for order, label in ((1, "linear"), (3, "cubic")):
            rows[label] = np.stack(
                [stretch(channel, options.factor, order=order) for channel in few]
            )
        for label, image in rows.items():
            print(f"  {label:8} {scored(image, whole, options.factor)}", flush=True)


if __name__ == "__main__":
    main()
