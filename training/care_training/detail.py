"""Detail: what isotropic restorations lack of it along Z, measured without a truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import optimize

from care_runtime.errors import ImageError, OptionError
from care_training.isotropic import Sharper
from care_training.metrics import spectral_isotropy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_runtime.restore import Restorer

MOST = 2.0
"""Greatest gain: a network that needs more has not learnt what there is along Z."""

STACKS, WIDEST = 10, 128
"""Stacks that are looked at, and pixels of each along Y and X, in its middle: what each
happens to hold lies more along Z, or more across."""

NEAR = 1e-3
"""How exactly a gain is found."""


def gains(
    restorer: Restorer, stacks: Sequence[NDArray[Any]], factor: float
) -> tuple[float, ...]:
    """Measure by how much detail along Z has to be raised to be as strong as across.

    A network says what is likely, which is smoother than what is there, and the mean
    of two views is smoother than each; both take away from Z, which they guess, more
    than from Y and X, which they see. Tissue has no preferred direction, or is taken to
    have none, as everywhere in this method: so what is lacking is known without the
    truth. The gain is that at which the spectral isotropy ratio is 1, on the average of
    XZ and YZ planes and of all stacks (of logarithms).

    Parameters
    ----------
    restorer
        Of an isotropic network without gains.
    stacks
        As they were recorded, (C, Z, Y, X); of those that it learnt from, the network
        saw lateral planes alone.
    factor
        Pixels from plane to plane.

    Returns
    -------
    tuple of float
        One for each channel, from 1 to `MOST`, as for `isotropic.Sharper`; 1 where
        there is nothing to measure, and none at all without stacks.
    """
    restored = [
        restorer(_middle(stack), "CZYX", dtype="float32").image
        for stack in stacks[:STACKS]
    ]
    return tuple(_gain(channels, factor) for channels in zip(*restored, strict=True))


def _gain(volumes: Sequence[NDArray[Any]], factor: float) -> float:
    """Find the gain of one channel of all stacks."""

    def lacking(gain: float) -> float:
        sharper, found = Sharper([gain], factor), []
        for volume in volumes:
            x = torch.from_numpy(volume)
            sharp = sharper(x[None, None])[0, 0].numpy()
            for view in (sharp, sharp.swapaxes(1, 2)):
                found.append(spectral_isotropy(view, factor, voxel=(1, 1, 1)))
        return float(np.log(found).mean())

    try:
        if lacking(1.0) >= 0:
            return 1.0
        if lacking(MOST) <= 0:
            return MOST
    except (ImageError, OptionError):  # too small, or nothing in it
        return 1.0
    return round(float(optimize.brentq(lacking, 1.0, MOST, xtol=NEAR)), 3)


def _middle(stack: NDArray[Any]) -> NDArray[Any]:
    """Cut the middle out of a stack that is wider than need be."""
    cuts: list[Any] = [...]
    for size in stack.shape[2:]:
        first = max(0, (size - WIDEST) // 2)
        cuts.append(slice(first, first + WIDEST))
    middle: NDArray[Any] = stack[tuple(cuts)]
    return middle
