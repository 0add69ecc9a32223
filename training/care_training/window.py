"""Window: where a patch is cut, so that it shows more than background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from care_runtime.percentiles import percentiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

BACKGROUND = 0.4
"""A patch needs a pixel above this fraction of the 99.9th percentile at its centre."""

TRIES = 1000
"""Places looked at before a patch may show background alone."""


def threshold(image: NDArray[Any]) -> float:
    """Say above which grey value a pixel is no background."""
    return BACKGROUND * float(percentiles(image, [99.9]).item())


def draw(
    rng: np.random.Generator,
    image: NDArray[Any],
    patch: tuple[int, ...],
    bright: float,
) -> tuple[slice, ...]:
    """Draw a patch whose centre is near a bright pixel.

    It is what CSBDeep's `no_background_patches` looks for, found without a mask that
    would be as large as the image.

    Parameters
    ----------
    rng
        Of the place.
    image
        ([Z,] Y, X), also a memory map.
    patch
        Sizes in pixels.
    bright
        Of `threshold`.
    """
    room = [n - p + 1 for n, p in zip(image.shape, patch, strict=True)]
    for _ in range(TRIES):
        start = [int(rng.integers(n)) for n in room]
        if _middle(image, start, patch).max() > bright:
            break
    return tuple(slice(s, s + p) for s, p in zip(start, patch, strict=True))


def _middle(
    image: NDArray[Any], start: Sequence[int], patch: tuple[int, ...]
) -> NDArray[Any]:
    """Cut the middle of a patch, half as wide."""
    middle = []
    for s, p in zip(start, patch, strict=True):
        reach = max(1, p // 2)
        first = s + p // 2 - reach // 2
        middle.append(slice(max(0, first), first + reach))
    return image[tuple(middle)]
