"""SRRF: super-resolution radial fluctuations of a movie, by the package nanopyx.

Gustafsson et al., Nat. Commun. 7, 12471, 2016; Saraiva et al., Nat. Methods 22, 2025.
The paper compares the HeLa microtubules with SRRF of about 200 frames. nanopyx has many
dependencies and leaves files in the home folder, so it comes with an extra of its own,
``baselines-srrf``.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from care_runtime.errors import ImageError, OptionError
from care_training.baselines.packages import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTRA = "baselines-srrf"
"""The extra that installs the package."""

AT_ONCE = 16
"""Frames whose radiality is held in memory."""

Temporal = Literal["average", "correlation"]


def srrf(
    movie: NDArray[Any],
    *,
    magnification: int = 5,
    radius: float = 0.5,
    temporal: Temporal = "average",
) -> NDArray[np.float32]:
    """Reconstruct one image from the frames of a movie.

    Parameters
    ----------
    movie
        Shape (T, Y, X), in any grey values; some 100 frames or more.
    magnification
        Pixels across a pixel of the movie.
    radius
        Of the ring on which gradients converge, in pixels of the movie.
    temporal
        How the radiality of the frames becomes one image: its ``"average"`` (TRA), or
        the absolute ``"correlation"`` of neighbouring frames (TRAC of order 2), which
        needs blinking.

    Returns
    -------
    numpy.ndarray
        Shape (magnification * Y, magnification * X), float32, in arbitrary units.

    Raises
    ------
    MissingPackageError
        If ``nanopyx`` is not installed.
    ImageError
        If the movie has other axes, or fewer than two frames.
    OptionError
        If `temporal` has another value.
    """
    if movie.ndim != 3 or len(movie) < 2:
        msg = f"expected a movie (T, Y, X) of two frames or more, found {movie.shape}"
        raise ImageError(msg)
    if temporal not in ("average", "correlation"):
        msg = f"expected temporal 'average' or 'correlation', found {temporal!r}"
        raise OptionError(msg)
    radiality = _radiality()
    size = [magnification * n for n in movie.shape[1:]]
    first, total, products = np.zeros((3, *size))
    last: NDArray[Any] | None = None
    for start in range(0, len(movie), AT_ONCE):
        frames = movie[start : start + AT_ONCE].astype(np.float32)
        found = radiality(frames, magnification, radius).astype(np.float64)
        total += found.sum(axis=0)
        if last is None:
            first = found[0]
        else:
            products += last * found[0]
        products += (found[1:] * found[:-1]).sum(axis=0)
        last = found[-1]
    mean: NDArray[np.float64] = total / len(movie)
    if temporal == "average":
        return mean.astype(np.float32)
    # The mean of (r[t] - mean) * (r[t + 1] - mean), from sums that need one pass.
    count = len(movie) - 1
    both = 2 * total - first - last
    product: NDArray[np.float64] = products / count - mean * both / count + mean**2
    return np.abs(product).astype(np.float32)


def _radiality() -> Any:
    """Import nanopyx, which warns of what it finds no hardware for, and prints."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        methods = require("nanopyx.methods", EXTRA)

    def radiality(
        frames: NDArray[np.float32], magnification: int, radius: float
    ) -> NDArray[np.float32]:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            found = methods.SRRF(frames, magnification=magnification, ringRadius=radius)
        return np.asarray(found, np.float32)

    return radiality
