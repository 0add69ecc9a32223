"""The zoo's models on real images that took no part in making them.

Run with ``python benchmarks/real_images.py FOLDER``, the folder of real images that
`MANIFEST.md` describes (``../shared/data`` beside the checkout). It measures

- how a segmentation by threshold (SEG) of really noisy nuclei of a plant gains by
  denoising: raw, smoothed, and restored;
- how widefield images of actin filaments, restored as tubules, correlate with
  structured illumination (BioSR);
- how real epithelia (projections, laid on a simulated curved sheet with haze and noise)
  are projected.
"""

import argparse
import platform
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

import care_runtime
from care_runtime.score import score
from care_training.baselines.graphcut import graph_cut
from care_training.metrics import seg, threshold_segmentation
from care_training.simulate import DOSES, OPTICS, blur, height_map

SIGMAS = (0.0, 1.0, 2.0)
"""Gaussians, in pixels, by which images are smoothed before their threshold."""

VOXEL = (1.0, 0.32, 0.32)
"""Of the fly wing experiment, in um."""


def nuclei(folder: Path) -> None:
    """Segment noisy nuclei before and after denoising."""
    raw = tifffile.imread(folder / "plantseg_ovule_nuclei_1135_raw.tif")
    truth = tifffile.imread(folder / "plantseg_ovule_nuclei_1135_label.tif")
    images = {"raw": raw}
    for model in ("denoise_planaria", "denoise_tribolium"):
        restorer = care_runtime.load(model, device="cpu")
        images[model] = restorer(raw, "ZYX", dtype="float32").image
    print(f"SEG of nuclei, smoothed by {', '.join(f'{s:g}' for s in SIGMAS)} pixels")
    for name, image in images.items():
        smoothed = [ndimage.gaussian_filter(image.astype(float), s) for s in SIGMAS]
        found = [seg(threshold_segmentation(s, smallest=200), truth) for s in smoothed]
        print(f"  {name:20}", "  ".join(f"{value:.3f}" for value in found))


def filaments(folder: Path) -> None:
    """Compare sharpened filaments with structured illumination."""
    print("correlation with structured illumination")
    restorer = care_runtime.load("tubules_ins1", device="cpu")
    for field in (1, 2):
        name = f"biosr_factin_nonlinear_fov{field}"
        seen = tifffile.imread(folder / f"{name}_widefield.tif")
        truth = tifffile.imread(folder / f"{name}_sim_gt.tif").ravel()
        made = restorer(seen, "YX").image
        before, after = (np.corrcoef(i.ravel(), truth)[0, 1] for i in (seen, made))
        print(f"  {name}: widefield {before:.4f}, tubules_ins1 {after:.4f}")


def epithelium(folder: Path, seed: int) -> None:
    """Project real epithelia that were laid on a curved sheet."""
    restorer = care_runtime.load("project_flywing", device="cpu", outputs=["mean"])
    textures = tifffile.imread(folder / "epitools_epithelium_projections_t1-7.tif")
    print("PSNR of projected epithelia in dB, at C1 (darkest), C2 and C3")
    rng = np.random.default_rng(seed)
    rows: dict[str, list[list[float]]] = {}
    for texture in textures:
        truth = texture[:192, :192] / np.percentile(texture, 99.9)
        height = height_map((50, 192, 192), rng, voxel_size=VOXEL)
        planes = np.arange(50)[:, None, None] - height
        stack = truth * np.exp(-0.5 * (planes / 0.6) ** 2) + 0.1 * (planes > 0)
        light = blur(stack, OPTICS["flywing"].psf(VOXEL))
        frames = DOSES["flywing"].expose(light / light.max(), rng, "C1", "C2", "C3")
        for name, project in {
            "maximum": lambda x: x.max(axis=0),
            "graph cut": lambda x: graph_cut(x.astype(np.float32)).projection,
            "project_flywing": lambda x: restorer(x, "ZYX", dtype="float32").image,
        }.items():
            psnr = [score(project(frame), truth).psnr for frame in frames.values()]
            rows.setdefault(name, []).append(psnr)
    for name, found in rows.items():
        mean, spread = np.mean(found, axis=0), np.std(found, axis=0)
        cells = [f"{m:.2f} ({s:.2f})" for m, s in zip(mean, spread, strict=True)]
        print(f"  {name:16}", "  ".join(cells))


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{platform.machine()}, care-zoo {care_runtime.__version__}")
    nuclei(options.folder)
    filaments(options.folder)
    epithelium(options.folder, options.seed)


if __name__ == "__main__":
    main()
