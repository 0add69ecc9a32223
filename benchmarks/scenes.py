"""Scenes that an ensemble learns, and others that it never saw, for ``trust.py``.

All structures of a task are blurred and exposed in the same way. They are drawn as the
experiments of the zoo draw them, or as sketches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from care_training.pairs import Pair
from care_training.simulate import (
    DOSES,
    OPTICS,
    Tissue,
    blur,
    brightness,
    epithelium,
    filaments,
    insulin_granules,
    microtubules,
    nuclei,
    project,
    sensor,
    stained_nuclei,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Rng = np.random.Generator
Image = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """What an ensemble learns, and what it is shown then.

    Parameters
    ----------
    own
        Draws a pair of the structure that it learns, of a name.
    others
        Draw low images, (C, [Z,] Y, X), of structures that it never saw.
    axes, images
        Axes of the low images without channels, and how many images are learnt from.
    kind, network, recipe
        As `care-train fit` has them.
    """

    own: Callable[[Rng, str], Pair]
    others: tuple[Callable[[Rng], Image], ...]
    axes: str
    images: int
    kind: dict[str, Any]
    network: dict[str, Any]
    recipe: dict[str, Any]


# Projection: sheets of cells in stacks, at a thirteenth of the light.

SHAPE, VOXEL, DOSE = (16, 128, 128), (1.0, 0.32, 0.32), "C2"
PSF = OPTICS["flywing"].psf(VOXEL)


def exposed(density: Image, rng: Rng) -> Image:
    """Take a stack of a scene at a low dose: (C, Z, Y, X)."""
    seen = brightness(blur(density.astype(np.float32), PSF))
    return DOSES["flywing"].expose(seen, rng, DOSE)[DOSE][None]


def wing(rng: Rng, name: str = "") -> Pair:
    """Take what the ensemble learns: one curved sheet of cells."""
    scene = epithelium(SHAPE, rng, Tissue(voxel_size=VOXEL))
    seen = blur(scene.density, PSF)
    seen /= np.percentile(project(seen, scene.height), 99.9)
    frames = DOSES["flywing"].expose(seen, rng, "GT", DOSE)
    target = project(frames["GT"], scene.height)
    return Pair(name, frames[DOSE][None], target[None])


def balls(rng: Rng) -> Image:
    """Take nuclei of 5 to 10 um all through the stack."""
    return exposed(stained_nuclei(SHAPE, rng, voxel_size=VOXEL).density, rng)


def tubules(rng: Rng) -> Image:
    """Take microtubules in six planes."""
    scene = np.zeros(SHAPE, np.float32)
    z = rng.integers(4, 8)
    scene[z : z + 6] = microtubules(SHAPE[1:], rng, pixel_size=VOXEL[1], length=0.3)
    return exposed(scene, rng)


def points(rng: Rng) -> Image:
    """Take points, as vesicles and beads are, all through the stack."""
    return exposed(scattered(SHAPE, rng, 3e-4), rng)


def sheets(rng: Rng) -> Image:
    """Take two sheets above each other, where it learnt to expect one."""
    one, other = (
        epithelium(SHAPE, rng, Tissue(voxel_size=VOXEL)).density for _ in range(2)
    )
    return exposed(np.maximum(one, other[::-1]), rng)


def nothing(rng: Rng) -> Image:
    """Take noise alone."""
    return exposed(np.zeros(SHAPE, np.float32), rng)


# Sharpening: filaments in planes, seen in good light and out of focus.

FIELD = (192, 192)
LIGHT = sensor("scmos", photons=300.0)
MUCH = sensor("scmos", photons=30_000.0, gain=1.0)
DEFOCUS = 2.0
"""Standard deviation in pixels of the Gaussian that is to be undone."""
SPOT = 1.2
"""That of the microscope in focus, where a sketch has none of its own."""


def taken(scene: Image, rng: Rng) -> Image:
    """Take a plane out of focus: (C, Y, X)."""
    seen = ndimage.gaussian_filter(brightness(scene), DEFOCUS)
    return LIGHT.expose(seen, rng)[None]


def threads(rng: Rng, name: str = "") -> Pair:
    """Take what the ensemble learns: a network of filaments, and haze."""
    scene = filaments(FIELD, rng)
    return Pair(name, taken(scene, rng), MUCH.expose(brightness(scene), rng)[None])


def membranes(rng: Rng) -> Image:
    """Take the outlines of cells."""
    tissue = Tissue(voxel_size=VOXEL, relief=2.0)
    cells = epithelium((8, *FIELD), rng, tissue).density.max(axis=0)
    return taken(ndimage.gaussian_filter(cells, SPOT), rng)


def spots(rng: Rng) -> Image:
    """Take points, one in a hundred pixels."""
    return taken(ndimage.gaussian_filter(scattered(FIELD, rng, 0.01), SPOT), rng)


def granules(rng: Rng) -> Image:
    """Take granules of a beta cell, few and small."""
    return taken(ndimage.gaussian_filter(insulin_granules(FIELD, rng), SPOT), rng)


def squares(rng: Rng) -> Image:
    """Take a chequerboard of 8 pixels, as made targets have."""
    y, x = np.indices(FIELD) + rng.integers(0, 16, 2)[:, None, None]
    board = (y // 8 + x // 8) % 2
    return taken(ndimage.gaussian_filter(board.astype(np.float32), 1.0), rng)


def bundles(rng: Rng) -> Image:
    """Take microtubules as the zoo's experiments have them: fewer filaments."""
    scene = microtubules(FIELD, rng, pixel_size=0.1)
    return taken(ndimage.gaussian_filter(scene, SPOT), rng)


def discs(rng: Rng) -> Image:
    """Take nuclei, large and smooth."""
    return taken(nuclei(FIELD, rng), rng)


def scattered(shape: tuple[int, ...], rng: Rng, share: float) -> Image:
    """Draw points of several brightnesses in a share of the pixels."""
    scene = np.zeros(shape, np.float32)
    count = int(np.prod(shape) * share)
    scene[tuple(rng.integers(0, n, count) for n in shape)] = rng.lognormal(
        0, 0.5, count
    )
    return scene


TASKS = {
    "projection": Task(
        own=wing,
        others=(points, balls, sheets, tubules, nothing),
        axes="ZYX",
        images=120,
        kind={"projection": True},
        network={"kernel": 3},
        recipe={"steps": 1500, "batch": 4, "patch": (64, 64)},
    ),
    "sharpening": Task(
        own=threads,
        others=(membranes, spots, granules, squares, bundles, discs),
        axes="YX",
        images=300,
        kind={},
        network={"kernel": 3, "filters": 16},
        recipe={"steps": 3000, "batch": 8, "patch": (96, 96)},
    ),
}
