"""Nuclei: deformed ellipsoids of stained chromatin, in tissue or in a blastoderm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import ndimage

from care_runtime.errors import TrainingError
from care_training.simulate.layout import blastoderm, tissue
from care_training.simulate.scene import Scene, patch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_training.simulate.layout import Places

CHROMATIN = 0.5
"""Width over which chromatin is alike, in um (half maximum of its correlation)."""

DEEPEST = 0.18
"""Greatest depth of a dent, and height of a bulge, as `_Body` measures them."""


def stained_nuclei(
    shape: Sequence[int],
    rng: np.random.Generator,
    *,
    voxel_size: Sequence[float] = (1.0, 0.3, 0.3),
    layout: Literal["tissue", "blastoderm"] = "tissue",
    diameter: tuple[float, float] = (5.0, 10.0),
    fill: float = 0.3,
    elongation: float = 0.15,
    egg: float = 150.0,
    contrast: float = 0.35,
) -> Scene:
    """Draw nuclei whose DNA or nuclear protein is labelled.

    Parameters
    ----------
    shape
        (Z, Y, X) or (Y, X), an optical section.
    rng
        Of all draws.
    voxel_size
        In um; of a pair, or of its last two for a section.
    layout
        ``"tissue"``: anywhere, in dense patches with gaps between them, as in a
        flatworm; ``"blastoderm"``: one layer on the curved surface of an egg, as in a
        beetle's embryo. Only stacks hold a blastoderm.
    diameter
        Least and greatest mean diameter in um: 5 to 10 in most animal tissues.
    fill
        Share of the volume that nuclei take up in dense tissue; a random packing ends
        at 0.38 (random sequential adsorption of balls).
    elongation
        Standard deviation of the logarithm of an axis. Volumes do not change by it.
    egg
        Radius of curvature of a blastoderm in um: a beetle's egg is some 600 um long
        and 300 um across.
    contrast
        Standard deviation of the logarithm of chromatin density in a nucleus.

    Returns
    -------
    Scene
        Density is 1 in a nucleus on average, and 0 outside of it.

    Raises
    ------
    TrainingError
        If a blastoderm is asked for in 2-D, or there is no such layout.
    """
    size = np.asarray(voxel_size, float)[-len(shape) :]
    extent = size * shape
    if layout == "tissue":
        places = tissue(extent, rng, diameter=diameter, fill=fill)
    elif layout == "blastoderm" and len(shape) == 3:
        places = blastoderm(extent, rng, diameter=diameter, egg=egg)
    else:
        msg = (
            f"expected 'tissue', or 'blastoderm' in 3-D, found {layout!r} in "
            f"{len(shape)}-D"
        )
        raise TrainingError(msg)
    density, labels = _draw(places, shape, size, rng, elongation)
    density *= _chromatin(shape, size, rng, contrast)
    return Scene(density, _renumbered(labels))


def _draw(
    places: Places,
    shape: Sequence[int],
    size: NDArray[np.float64],
    rng: np.random.Generator,
    elongation: float,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Draw nuclei as even bodies; where two would overlap, the nearer one has it."""
    density, labels = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    closest = np.full(shape, np.inf, np.float32)
    for number, (centre, radius, normal) in enumerate(places, 1):
        body = _body(len(shape), rng, elongation, normal)
        part, offsets = patch(centre, body.reach * radius, size, shape)
        distance = body.distance([o / np.float32(radius) for o in offsets])
        closer = (distance < 1) & (distance < closest[part])
        if not closer.any():
            continue
        edge = np.clip((1 - distance) * radius / size[-1] + 0.5, 0, 1)
        stain = edge * rng.lognormal(-0.03, 0.25) * _nucleolus(offsets, radius, rng)
        closest[part][closer] = distance[closer]
        labels[part][closer] = number
        density[part][closer] = stain[closer]
    return density, labels


@dataclass(frozen=True, slots=True)
class _Body:
    """An ellipsoid of mean half axis 1 about the origin, which soft dents deform.

    Parameters
    ----------
    axes
        Rows of a matrix, each a unit vector over its half axis.
    dents
        Of each the direction, a unit vector in the frame of the axes, and the depth;
        a bulge where that is negative.
    """

    axes: NDArray[np.float64]
    dents: tuple[tuple[NDArray[np.float64], float], ...]

    @property
    def reach(self) -> float:
        """A distance from the centre beyond which nothing of it lies."""
        half = 1 / float(np.linalg.norm(self.axes, axis=1).min())
        # Of all directions: along a bulge, and across a dent, which bulges there.
        least = [1 - 0.4 * d if d > 0 else 1 + 1.6 * d for _, d in self.dents]
        return half / float(np.prod(least))

    def distance(self, offsets: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Measure from the centre: 1 at the surface."""
        turned = [
            sum(np.float32(a) * o for a, o in zip(row, offsets, strict=True))
            for row in self.axes
        ]
        even = np.sqrt(sum(t * t for t in turned))
        distance = even
        for side, depth in self.dents:
            along = sum(np.float32(s) * t for s, t in zip(side, turned, strict=True))
            cosine = along / np.maximum(even, np.float32(1e-6))
            dent = np.float32(depth) * (cosine**2 * (1 + cosine) - np.float32(0.4))
            distance = distance * (1 + dent)
        return distance


def _body(
    dims: int,
    rng: np.random.Generator,
    elongation: float,
    normal: NDArray[np.float64] | None,
) -> _Body:
    """Turn, stretch and dent."""
    frame = rng.normal(size=(dims, dims))
    if normal is not None:
        frame[:, 0] = normal
    turned = np.linalg.qr(frame)[0].T
    stretch = rng.normal(0, elongation, dims)
    # A columnar cell's nucleus is longer along its axis.
    stretch[0] += 0.0 if normal is None else 0.2
    axes = turned / np.exp(stretch - stretch.mean())[:, None]
    dents = []
    for _ in range(2):
        side = rng.normal(size=dims)
        dents.append((side / np.linalg.norm(side), rng.uniform(-DEEPEST, DEEPEST)))
    return _Body(axes, tuple(dents))


def _nucleolus(
    offsets: list[NDArray[np.float32]], radius: float, rng: np.random.Generator
) -> NDArray[np.floating[Any]]:
    """Leave out most stain in a nucleolus, a quarter to a third of the diameter."""
    place = rng.normal(0, 0.3 * radius, len(offsets))
    square = sum((o - np.float32(p)) ** 2 for o, p in zip(offsets, place, strict=True))
    width = rng.uniform(0.25, 0.35) * radius
    return 1 - np.float32(0.6) * np.exp(-square / width**2)


def _chromatin(
    shape: Sequence[int],
    size: NDArray[np.float64],
    rng: np.random.Generator,
    contrast: float,
) -> NDArray[np.float32]:
    """Draw a texture whose correlation has half its height at `CHROMATIN` / 2."""
    # White noise under a Gaussian is correlated as a Gaussian wider by sqrt 2.
    sigma = CHROMATIN / 2.355 / np.sqrt(2) / size
    texture = ndimage.gaussian_filter(
        rng.standard_normal(tuple(shape), dtype=np.float32), sigma, truncate=3
    )
    texture *= contrast / max(float(texture.std()), 1e-12)
    factor: NDArray[np.float32] = np.exp(texture - np.float32(contrast**2 / 2))
    return factor


def _renumbered(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Close the gaps that hidden nuclei, and those outside, leave."""
    present = np.zeros(labels.max() + 1, bool)
    present[labels.ravel()] = True
    present[0] = True
    return (np.cumsum(present) - 1)[labels].astype(np.int32)
