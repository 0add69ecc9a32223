"""Movie: an epithelium whose cells move, so that their true tracks are known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from care_training.simulate.membranes import (
    WING,
    Epithelium,
    Fabric,
    Tissue,
    below_sheet,
    fabric,
    glow,
    pixels,
    scatter,
    upright,
    woven,
)
from care_training.simulate.packing import honeycomb
from care_training.simulate.perlin import perlin_noise
from care_training.simulate.surface import height_map

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

UNEVEN = 0.5
"""How much the flow differs from place to place, relative to its mean."""

PERIOD = 40.0
"""Distance of independent speeds of the flow in um: some ten cells."""


def epithelium_movie(
    shape: Sequence[int],
    rng: np.random.Generator,
    frames: int,
    tissue: Tissue = WING,
    *,
    flow: float = 0.6,
    wander: float = 0.4,
    memory: float = 5.0,
) -> Iterator[Epithelium]:
    """Draw an epithelium that flows through the field, frame by frame.

    The tissue flows along one direction, faster here and slower there, and takes its
    membranes with it; within it every cell wanders about its place, smoothly in time,
    so that neighbours are exchanged now and then. No cell divides or dies, but cells
    come and go over the borders. Sheet, haze and debris stand still. A pupal wing's
    cells flow by up to some ten um an hour (Etournay et al., eLife 4, 2015), which are
    0.8 um in the five minutes between frames; here a little less.

    Parameters
    ----------
    shape, rng, tissue
        As `epithelium` takes them.
    frames
        1 or more.
    flow
        Mean speed of the tissue in um a frame.
    wander
        Standard deviation of a cell's own way about its place in um, for each axis.
    memory
        Frames over which that way is smooth: standard deviation of a Gaussian in time.

    Yields
    ------
    Epithelium
        One a frame; a cell has the same label in all.
    """
    size = np.asarray(tissue.voxel_size, float)
    field = size[1:] * shape[1:]
    height = height_map(shape, rng, voxel_size=tissue.voxel_size, relief=tissue.relief)
    margin = 3 * tissue.cell + (1 + UNEVEN) * flow * frames
    centres = honeycomb(field.tolist(), tissue.cell, rng, jitter=0.17, margin=margin)
    made = fabric(shape[1:], rng, size[1:], tissue.cell)
    background = np.zeros(tuple(shape), np.float32)
    if tissue.haze > 0:
        depth = below_sheet(shape[0], height, size[0])
        background += np.float32(tissue.haze) * glow(shape, rng, size, depth)
    scatter(background, rng, size, height, tissue.debris)
    speed = _flow(shape[1:], rng, size[1:], flow)
    ways = _ways(len(centres), rng, frames, wander, memory)
    places = pixels(shape[1:], size[1:])
    for way in ways:
        moved = _sampled(made, places, size[1:])
        sheet, first = woven(centres + way, moved, places, size[1:], tissue.width)
        density = (
            upright(sheet, height, shape[0], size[0], tissue.belt, tissue.lateral)
            + background
        )
        yield Epithelium(density, sheet, height, (first + 1).astype(np.int32))
        # What is here in the next frame was upstream in this one.
        places = places - _at(speed, places, size[1:])


def _flow(
    shape: Sequence[int],
    rng: np.random.Generator,
    size: NDArray[np.float64],
    mean: float,
) -> NDArray[np.float64]:
    """Draw the speed of the tissue at every pixel: (2, Y, X) in um a frame."""
    turn = rng.uniform(0, 2 * np.pi)
    ahead = np.array([np.sin(turn), np.cos(turn)])[:, None, None]
    periods = [(PERIOD / size).tolist()] * 2
    uneven = np.stack(
        [perlin_noise(tuple(shape), rng, period=p, octaves=1) for p in periods]
    )
    found: NDArray[np.float64] = mean * (ahead + 2 * UNEVEN * (uneven - 0.5))
    return found


def _ways(
    count: int, rng: np.random.Generator, frames: int, wander: float, memory: float
) -> NDArray[np.float64]:
    """Draw where cells are, relative to their places: (frames, N, 2) in um."""
    reach = int(np.ceil(4 * memory))
    noise = rng.standard_normal((frames + 2 * reach, count, 2))
    smooth = ndimage.gaussian_filter1d(noise, memory, axis=0)[reach:][:frames]
    # Smoothing leaves this standard deviation of white noise.
    left = 1 / np.sqrt(2 * np.sqrt(np.pi) * memory)
    found: NDArray[np.float64] = smooth * (wander / left)
    return found


def _sampled(
    made: Fabric, places: NDArray[np.float64], size: NDArray[np.float64]
) -> Fabric:
    """Take the fabric along: look it up where the tissue was in the first frame."""
    clusters, patches = _at(
        np.stack([made.clusters, made.patches]), places, size, mode="mirror"
    ).transpose(2, 0, 1)
    bends = _at(made.bends, places, size, mode="mirror").transpose(2, 0, 1)
    return replace(made, bends=bends, clusters=clusters, patches=patches)


def _at(
    images: NDArray[np.floating[Any]],
    places: NDArray[np.float64],
    size: NDArray[np.float64],
    mode: str = "nearest",
) -> NDArray[np.float64]:
    """Look up images (C, Y, X) at places (Y, X, 2) in um: (Y, X, C)."""
    where = np.moveaxis(places / size, -1, 0)
    found = [
        ndimage.map_coordinates(image, where, np.float64, order=1, mode=mode)
        for image in images
    ]
    return np.stack(found, -1)
