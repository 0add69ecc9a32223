"""Tubules: microtubules as worm-like chains, drawn finer than a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WIDTH = 0.025
"""Outer diameter of a microtubule in um."""


def microtubules(
    shape: Sequence[int],
    rng: np.random.Generator,
    *,
    pixel_size: float = 0.08,
    length: float = 1.5,
    persistence: float = 30.0,
    contour: float = 15.0,
    asters: float = 0.5,
    bundles: float = 0.2,
) -> NDArray[np.float32]:
    """Draw a field of a cell's microtubules, seen from above.

    The paper simulates "2D trajectories ... respecting the known physical properties
    (for example, microtubule width and persistence length)" (Methods, "INS-1 cell
    tubular/granule restoration").

    Parameters
    ----------
    shape
        (Y, X) in pixels.
    rng
        Of all draws.
    pixel_size
        In um: 0.08 at the OMX (60x), 0.1 at the Elyra (16 um / 160).
    length
        Of filament in um, for each square um of the field and of a margin of `contour`
        about it, from which filaments reach in: some thousand um in a cell of 30 x 30
        um. About a quarter grows out of both, so that the field holds less.
    persistence
        Persistence length in um: 30 in cells (Brangwynne et al., PNAS 104, 2007),
        where forces bend what thermal motion alone leaves straight over 5 mm (Gittes et
        al., J. Cell Biol. 120, 1993).
    contour
        Mean length of a microtubule in um, distributed exponentially, as dynamic
        instability leaves them (Verde et al., J. Cell Biol. 118, 1992).
    asters
        Share of them that grow from a centrosome; the others lie anywhere.
    bundles
        Mean number of further filaments that run along each, which brighten it.

    Returns
    -------
    numpy.ndarray
        Density (Y, X): um of filament in a pixel, over the size of the pixel, so that 1
        is one filament straight through. Each point is shared by the four pixels about
        it, which keeps its place to a fraction of a pixel.
    """
    extent = pixel_size * np.asarray(shape, float)
    step = 0.25 * pixel_size
    # Filaments from outside reach in, so start them there, too.
    margin = contour
    area = np.prod(extent + 2 * margin)
    lengths = rng.exponential(contour, max(1, round(length * area / contour)))
    starts, headings = _starts(extent, margin, asters, len(lengths), rng)
    counts = np.ceil(lengths / step).astype(int)
    turns = rng.normal(0, np.sqrt(step / persistence), counts.sum())
    angles = np.repeat(headings, counts) + _anew(turns, counts)
    # A fluorophore sits on the wall of the tube, anywhere about its axis.
    off = 0.5 * WIDTH * np.sin(rng.uniform(0, 2 * np.pi, len(angles)))
    sine, cosine = np.sin(angles), np.cos(angles)
    y = np.repeat(starts[:, 0], counts) + _anew(step * sine, counts) + off * cosine
    x = np.repeat(starts[:, 1], counts) + _anew(step * cosine, counts) - off * sine
    strands = np.repeat(1 + rng.poisson(bundles, len(lengths)), counts)
    places = np.stack([y, x]) / pixel_size - 0.5
    return splat(places, strands * (step / pixel_size), shape)


def splat(
    places: NDArray[np.float64],
    weights: NDArray[np.floating[Any]],
    shape: Sequence[int],
) -> NDArray[np.float32]:
    """Add points to an image, each shared linearly by the pixels about it.

    Parameters
    ----------
    places
        (2, N) in pixels, whole numbers at the centres of pixels.
    weights
        (N,).
    shape
        (Y, X); what lies outside is left out.

    Returns
    -------
    numpy.ndarray
        The sum and the centre of mass are those of the points.
    """
    limit = np.asarray(shape)[:, None]
    near = np.all((places > -1) & (places < limit), axis=0)
    places, weights = places[:, near], weights[near]
    # One pixel more at every side takes what is shared with the outside.
    low = np.floor(places).astype(int)
    part = places - low
    wide = shape[1] + 2
    first = (low[0] + 1) * wide + low[1] + 1
    image = np.zeros((shape[0] + 2) * wide)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.where(down, part[0], 1 - part[0])
        share = share * np.where(right, part[1], 1 - part[1])
        image += np.bincount(first + down * wide + right, share * weights, image.size)
    return image.reshape(-1, wide)[1:-1, 1:-1].astype(np.float32)


def _anew(values: NDArray[np.float64], counts: NDArray[np.int_]) -> NDArray[np.float64]:
    """Add up values along each of many chains that lie one after the other."""
    total = np.cumsum(values)
    last = np.cumsum(counts)
    before = np.concatenate([[0.0], total[last[:-1] - 1]])
    sums: NDArray[np.float64] = total - np.repeat(before, counts)
    return sums


def _starts(
    extent: NDArray[np.float64],
    margin: float,
    asters: float,
    count: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Choose where filaments begin, and their headings: around one centrosome or two.

    Those of an aster begin up to a length away from the centrosome, pointing outwards:
    few of the filaments of a cell still touch it.
    """
    starts = rng.uniform(-margin, extent + margin, (count, 2))
    headings = rng.uniform(0, 2 * np.pi, count)
    centrosomes = rng.uniform(-margin, extent + margin, (rng.integers(1, 3), 2))
    own = centrosomes[rng.integers(len(centrosomes), size=count)]
    grown = rng.uniform(size=count) < asters
    outwards = rng.uniform(0, 2 * np.pi, count)
    away = rng.exponential(margin / 2, count)
    direction = np.stack([np.sin(outwards), np.cos(outwards)], 1)
    starts[grown] = (own + away[:, None] * direction)[grown]
    headings[grown] = (outwards + rng.normal(0, 0.3, count))[grown]
    return starts, headings
