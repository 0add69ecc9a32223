"""Surface: the plane in which a tissue lies, found in a stack and taken out of it.

The methods that the paper compares projections with (Methods, "Drosophila wing
projection"). Strengths are thicknesses: standard deviations, in planes, of the Gaussian
by which planes around the surface are averaged; 0 takes the surface alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from care_runtime.errors import ImageError
from care_training.baselines.method import Baseline, normalized

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

REACH = 3.0
"""Standard deviations of the thickness that are averaged."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A projection and where it lies.

    Parameters
    ----------
    projection
        Shape (Y, X), in grey values of the stack.
    height
        Shape (Y, X), float32, in planes from the first.
    """

    projection: NDArray[Any]
    height: NDArray[np.float32]


def maximum(stack: NDArray[Any]) -> Surface:
    """Project a stack (Z, Y, X) to the maximum along Z.

    Raises
    ------
    ImageError
        If it is no stack.
    """
    volume(stack)
    height = stack.argmax(axis=0).astype(np.float32)
    return Surface(stack.max(axis=0), height)


def along(
    stack: NDArray[Any], height: NDArray[np.floating[Any]], thickness: float = 0.0
) -> Surface:
    """Project a stack (Z, Y, X) along a surface.

    Parameters
    ----------
    stack
        Shape (Z, Y, X).
    height
        Shape (Y, X), in planes from the first; between planes it is interpolated.
    thickness
        Standard deviation, in planes, of the average around the surface.
    """
    if height.shape != stack.shape[1:]:
        msg = (
            f"expected a height map of the shape {stack.shape[1:]} for a stack of "
            f"{stack.shape}, found {height.shape}"
        )
        raise ImageError(msg)
    if thickness:
        reach = int(REACH * thickness)
        offsets: NDArray[Any] = np.arange(-reach, reach + 1)
        weights = np.exp(-0.5 * (offsets / thickness) ** 2)
    else:
        offsets, weights = np.zeros(1), np.ones(1)
    places = np.indices(height.shape)
    total = sum(
        weight
        * ndimage.map_coordinates(
            stack, [height + offset, *places], np.float32, order=1, mode="nearest"
        )
        for offset, weight in zip(offsets, weights, strict=True)
    )
    return Surface(total / weights.sum(), np.asarray(height, np.float32))


def spread(
    height: NDArray[Any], grid: int, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Interpolate a height map of squares at every pixel, linearly.

    No two neighbours differ by more than ``1 / grid`` of what squares differ by.
    """
    places = [(np.arange(size) + 0.5) / grid - 0.5 for size in shape]
    found: NDArray[np.float32] = ndimage.map_coordinates(
        np.asarray(height, np.float32),
        np.meshgrid(*places, indexing="ij"),
        order=1,
        mode="nearest",
    )
    return found


def volume(stack: NDArray[Any]) -> None:
    """Refuse what is no stack (Z, Y, X)."""
    if stack.ndim != 3:
        msg = (
            f"expected a stack (Z, Y, X) to project, found {stack.ndim} axes of the "
            f"lengths {stack.shape}: give one channel of one time"
        )
        raise ImageError(msg)


def projecting(
    name: str,
    find: Callable[[NDArray[Any]], NDArray[np.float32]],
    citation: str,
    thicknesses: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0),
) -> Baseline:
    """Make a baseline of a function that finds the height map of a stack."""

    def function(stack: NDArray[np.float32], thickness: float) -> NDArray[Any]:
        return along(stack, find(stack), thickness).projection

    return Baseline(name, function, thicknesses, citation, raw=True)


def followed(projection: Baseline, strength: float, denoiser: Baseline) -> Baseline:
    """Denoise what a method projects, as the paper does with NLM.

    Parameters
    ----------
    projection, strength
        The method that projects, at a strength that was tuned before.
    denoiser
        The method that denoises; its strengths are those of the two together.
    """

    def function(stack: NDArray[np.float32], power: float) -> NDArray[Any]:
        plane = projection.function(stack, strength)
        return denoiser.function(normalized(plane), power)

    return replace(
        denoiser,
        name=f"{projection.name} + {denoiser.name}",
        function=function,
        raw=True,
        citation=f"{projection.citation}; {denoiser.citation}",
    )


def _maximum(stack: NDArray[np.float32], blur: float) -> NDArray[Any]:
    return maximum(ndimage.gaussian_filter(stack, blur) if blur else stack).projection


MAXIMUM = Baseline(
    "maximum projection", _maximum, (0.0,), "maximum intensity", raw=True
)
MAXIMUM_SMOOTHED = Baseline(
    "maximum projection, smoothed",
    _maximum,
    (0.5, 0.7, 1.0, 1.5, 2.0),
    "maximum intensity after a low-pass filter of this width",
    raw=True,
)
