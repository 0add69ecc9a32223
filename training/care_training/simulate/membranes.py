"""Membranes: an epithelium, as a curved sheet of cells in a stack full of haze."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage, special
from scipy.spatial import KDTree

from care_training.simulate.packing import honeycomb
from care_training.simulate.perlin import perlin_noise
from care_training.simulate.scene import patch
from care_training.simulate.surface import height_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FWHM = 2.355
"""Full width at half maximum of a Gaussian, in its standard deviations."""


@dataclass(frozen=True, slots=True)
class Epithelium:
    """A sheet of cells in a stack, and what a perfect projection shows.

    Parameters
    ----------
    density
        Fluorophores, (Z, Y, X), with haze and debris. The membranes of the sheet,
        summed over planes, are `projection`.
    projection
        Membranes on the sheet, (Y, X): about 1 in the middle of an average one, and
        less where pixels are wider than membranes.
    height
        Where the sheet is, (Y, X), in planes, with fractions.
    labels
        Number of each pixel's cell from 1, (Y, X).
    """

    density: NDArray[np.float32]
    projection: NDArray[np.float32]
    height: NDArray[np.float32]
    labels: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Tissue:
    """How an epithelium is: that of a pupal wing, where nothing else is said.

    Parameters
    ----------
    voxel_size
        In um. The sheet is laid on a plane and not stretched by its slope.
    cell
        Mean distance of two cells' centres in um: 3 to 6 in a pupal wing.
    width
        Of a membrane between two cells in um: full width at half maximum.
    belt
        Height of the adherens junctions in um: full width at half maximum.
    lateral
        Density of the membranes below the belt, relative to within it; it falls to 1/e
        over 4 um.
    haze
        Autofluorescence of cuticle above and tissue below, relative to membranes.
    debris
        Bright grains and short tubes off the sheet, for each 1,000 square um.
    relief
        Of the sheet in um, see `height_map`.
    """

    voxel_size: Sequence[float] = (1.0, 0.32, 0.32)
    cell: float = 4.5
    width: float = 0.3
    belt: float = 1.0
    lateral: float = 0.04
    haze: float = 0.12
    debris: float = 4.0
    relief: float = 20.0


WING = Tissue()
"""The paper's pupal wing."""


def epithelium(
    shape: Sequence[int], rng: np.random.Generator, tissue: Tissue = WING
) -> Epithelium:
    """Draw an epithelium whose E-cadherin is labelled.

    Parameters
    ----------
    shape
        (Z, Y, X); the paper's stacks are about 50 x 700 x 700.
    rng
        Of all draws.
    tissue
        How it is.

    Returns
    -------
    Epithelium
    """
    size = np.asarray(tissue.voxel_size, float)
    height = height_map(shape, rng, voxel_size=tissue.voxel_size, relief=tissue.relief)
    centres = honeycomb((size[1:] * shape[1:]).tolist(), tissue.cell, rng, jitter=0.17)
    made = fabric(shape[1:], rng, size[1:], tissue.cell)
    places = pixels(shape[1:], size[1:])
    sheet, first = woven(centres, made, places, size[1:], tissue.width)
    labels = np.unique(first, return_inverse=True)[1].reshape(first.shape) + 1
    density = upright(sheet, height, shape[0], size[0], tissue.belt, tissue.lateral)
    if tissue.haze > 0:
        depth = below_sheet(shape[0], height, size[0])
        density += np.float32(tissue.haze) * glow(shape, rng, size, depth)
    scatter(density, rng, size, height, tissue.debris)
    return Epithelium(density, sheet, height, labels.astype(np.int32))


@dataclass(frozen=True, slots=True)
class Fabric:
    """How membranes differ along the sheet, whatever cells they surround.

    Parameters
    ----------
    bends
        By how much places are shifted, (2, Y, X) in um: membranes are not straight.
    strength
        Of the membranes of pairs of neighbours.
    clusters, patches
        Brightness, (Y, X): E-cadherin comes in clusters of some 0.5 um (k), and in
        patches of the tissue.
    """

    bends: NDArray[np.floating[Any]]
    strength: NDArray[np.float64]
    clusters: NDArray[np.floating[Any]]
    patches: NDArray[np.floating[Any]]


def fabric(
    shape: Sequence[int],
    rng: np.random.Generator,
    size: NDArray[np.float64],
    cell: float,
) -> Fabric:
    """Draw how membranes differ on a field of `shape` pixels of `size` um."""
    bends = [
        0.25 * cell * (perlin_noise(tuple(shape), rng, period=p, octaves=1) - 0.5)
        for p in [(1.2 * cell / size).tolist()] * 2
    ]
    strength = rng.lognormal(-0.03, 0.25, (1009, 2))
    clusters = ndimage.gaussian_filter(rng.standard_normal(shape), 0.25 / size)
    clusters = np.exp(0.2 * clusters / max(clusters.std(), 1e-12))
    patches = perlin_noise(tuple(shape), rng, period=(40 / size).tolist(), octaves=2)
    return Fabric(np.stack(bends), strength, clusters, 0.7 + 0.6 * patches)


def pixels(shape: Sequence[int], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place the pixels of a field in um: (Y, X, 2)."""
    grid = np.asarray(np.mgrid[: shape[0], : shape[1]], np.float64)
    found: NDArray[np.float64] = np.moveaxis(grid, 0, -1) * size
    return found


def woven(
    centres: NDArray[np.float64],
    made: Fabric,
    places: NDArray[np.float64],
    size: NDArray[np.float64],
    width: float,
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Draw the membranes between cells that are nearest to one of many centres.

    Parameters
    ----------
    centres
        (N, 2) in um.
    made
        Differences along the sheet, at the same pixels.
    places
        Of the pixels in um, (Y, X, 2).
    size
        Of a pixel in um, (Y, X).
    width
        Of a membrane in um: full width at half maximum.

    Returns
    -------
    sheet, cells
        Membranes, and the number of each pixel's centre, (Y, X).
    """
    shape = places.shape[:2]
    grid = places + np.moveaxis(made.bends, 0, -1)
    apart, index = KDTree(centres).query(grid.reshape(-1, 2), k=3)
    # A pixel holds the mean of the profile over its own width, which widens it.
    pixel = float(np.mean(size))
    sigma = np.hypot(width / FWHM, pixel / np.sqrt(12))
    sheet = np.zeros(len(apart))
    for other in (1, 2):
        between = np.linalg.norm(
            centres[index[:, other]] - centres[index[:, 0]], axis=1
        )
        distance = (apart[:, other] ** 2 - apart[:, 0] ** 2) / (2 * between)
        # Each pair of neighbours has one strength, whichever of the two asks.
        pair = index[:, 0] * index[:, other] % 1009, (index[:, 0] + index[:, other]) % 2
        profile = np.exp(-0.5 * (distance / sigma) ** 2) * made.strength[pair]
        np.maximum(sheet, profile, out=sheet)
    sheet = sheet.reshape(shape) * (width / FWHM / sigma)
    sheet *= made.clusters
    sheet *= made.patches
    return sheet.astype(np.float32), index[:, 0].reshape(shape)


def upright(
    sheet: NDArray[np.float32],
    height: NDArray[np.float32],
    planes: int,
    step: float,
    belt: float,
    lateral: float,
) -> NDArray[np.float32]:
    """Raise a sheet (Y, X) into a stack: its belt, and the membranes below."""
    density = sheet * _belt(planes, height, step, belt)
    if lateral > 0:
        depth = below_sheet(planes, height, step)
        below = np.exp(-np.maximum(depth, 0) / np.float32(4)) * (depth > 0)
        density += np.float32(lateral) * sheet * below
    return density


def below_sheet(
    planes: int, height: NDArray[np.float32], step: float
) -> NDArray[np.float32]:
    """Measure how far every voxel lies below the sheet, in um: (Z, Y, X)."""
    return step * (np.arange(planes, dtype=np.float32)[:, None, None] - height)


def _belt(
    planes: int, height: NDArray[np.float32], step: float, belt: float
) -> NDArray[np.float32]:
    """Share out the sheet among planes: the integral of a Gaussian over each."""
    edges = np.arange(planes + 1, dtype=np.float32)[:, None, None] - 0.5
    # The first and the last plane take what is beyond.
    edges[0], edges[-1] = -np.inf, np.inf
    scale = np.float32(step * FWHM / belt)
    return np.diff(special.ndtr((edges - height) * scale), axis=0)


def glow(
    shape: Sequence[int],
    rng: np.random.Generator,
    size: NDArray[np.float64],
    depth: NDArray[np.floating[Any]],
) -> NDArray[np.floating[Any]]:
    """Glow in clouds: the cuticle some 7 um above the sheet, tissue from 4 um below."""
    clouds = perlin_noise(tuple(shape), rng, period=15 / size, octaves=2)
    cuticle = np.exp(-(((depth + np.float32(7)) / np.float32(3)) ** 2))
    tissue = special.expit((depth - np.float32(4)) / np.float32(1.5))
    glow: NDArray[np.floating[Any]] = clouds * (
        np.float32(0.15) + cuticle + np.float32(0.8) * tissue
    )
    return glow


def scatter(
    density: NDArray[np.float32],
    rng: np.random.Generator,
    size: NDArray[np.float64],
    height: NDArray[np.float32],
    debris: float,
) -> None:
    """Add grains of 0.5 to 2 um, and bent tubes below, 3 to 12 um off the sheet."""
    extent = size * density.shape
    for _ in range(rng.poisson(debris * extent[1] * extent[2] / 1000)):
        tube = rng.uniform() < 0.2
        place = rng.uniform(0, extent[1:])
        row, column = (place / size[1:]).astype(int)
        aside = rng.uniform(3, 12) * (1 if tube else rng.choice([-1, 1]))
        centre = np.array([(height[row, column] + 0.5) * size[0] + aside, *place])
        half = rng.uniform(0.25, 1.0, 3)
        if tube:
            half = np.array([1.0, rng.uniform(3, 9), rng.uniform(0.5, 1.5)])
        turn, bend = rng.uniform(0, np.pi), tube * rng.normal(0, 0.05)
        part, (z, y, x) = patch(centre, 3 * half.max(), size, density.shape)
        along = y * np.cos(turn) + x * np.sin(turn)
        across = x * np.cos(turn) - y * np.sin(turn) + bend * along**2
        square = (z / half[0]) ** 2 + (along / half[1]) ** 2 + (across / half[2]) ** 2
        density[part] += rng.lognormal(-0.7, 0.7) * np.exp(-square)
