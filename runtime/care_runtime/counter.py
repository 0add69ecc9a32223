"""Counter: random numbers that depend on a seed, a stream and a place, and no state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from care_runtime.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAMMA = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)


def uniforms(seed: int, stream: int, index: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Draw uniform random numbers, each a pure function of its place.

    An image therefore has the same numbers whether it is tiled or not, on any machine
    and in any order. The place is encrypted by two rounds of the finalizer of
    SplitMix64 [1]_, each after the addition of a key, as counter-based generators
    do [2]_. The keys are the outputs ``2 * stream`` and ``2 * stream + 1`` of the
    SplitMix64 generator that starts from the hashed seed, so that neighbouring seeds
    and streams share nothing.

    Parameters
    ----------
    seed
        What a person chooses, at least 0 and below 2**64.
    stream
        Which of several independent numbers at one place, at least 0 and below 2**63.
    index
        Places, such as global pixel indices; any shape.

    Returns
    -------
    numpy.ndarray
        Of the shape of `index`; above 0 and below 1, in steps of 2**-52.

    Raises
    ------
    OptionError
        If the seed or the stream is out of its range.

    References
    ----------
    .. [1] Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
       OOPSLA 2014, https://doi.org/10.1145/2660193.2660195
    .. [2] Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
       SC 2011, https://doi.org/10.1145/2063384.2063405
    """
    _check("seed", seed, 64)
    _check("stream", stream, 63)
    keys = _keys(seed, stream)
    bits = np.array(index, np.uint64, ndmin=1)
    for key in keys:
        bits += key
        _mix(bits)
    # The half keeps both ends out: 52 bits and a half are exact in float64.
    bits >>= np.uint64(12)
    numbers = bits.astype(np.float64)
    numbers += 0.5
    numbers *= 2.0**-52
    return numbers.reshape(np.shape(index))


def _keys(seed: int, stream: int) -> NDArray[np.uint64]:
    """Make the two keys of a stream: two outputs of SplitMix64."""
    start = np.array([seed], np.uint64)
    start += GAMMA
    _mix(start)
    keys = np.array([2 * stream, 2 * stream + 1], np.uint64)
    keys += np.uint64(1)
    keys *= GAMMA
    keys += start
    _mix(keys)
    return keys


def _mix(bits: NDArray[np.uint64]) -> None:
    """Mix the bits of every number in place: the finalizer of SplitMix64."""
    bits ^= bits >> np.uint64(30)
    bits *= FIRST
    bits ^= bits >> np.uint64(27)
    bits *= SECOND
    bits ^= bits >> np.uint64(31)


def _check(name: str, value: int, bits: int) -> None:
    if not 0 <= value < 2**bits:
        msg = (
            f"expected a {name} of at least 0 and below 2**{bits}, found {value}: "
            "choose another whole number"
        )
        raise OptionError(msg)
