"""Answers: what a network said about a tile, in one order and without its halo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from care_runtime.contract import supported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.care import Output
    from care_runtime.readout import Answers
    from care_runtime.spec import Spec
    from care_runtime.tensor import Tensor
    from care_runtime.tiling import Cut


def collect(
    spec: Spec,
    x: NDArray[np.float32],
    found: Sequence[NDArray[np.float32] | None],
    blank: NDArray[np.bool_],
    cuts: Mapping[str, Cut],
) -> Answers:
    """Order the outputs of a network as (C, [Z,] Y, X), and keep their exact part.

    Parameters
    ----------
    spec
        Describes the outputs.
    x
        The normalized tile that the network saw, (C, [Z,] Y, X).
    found
        What it answered, in its own axes; None for a tile that is blank.
    blank
        Channels without contrast, (C, 1, [1,] 1): they stay as they are.
    cuts
        The tile by axis.
    """
    roles = supported(spec).outputs
    answers = {}
    for tensor, y in zip(spec.outputs, found, strict=True):
        ordered = _ordered(tensor, x, y)
        if blank.any():
            ordered = _unchanged(ordered, x, blank, roles[tensor.id])
        keep = [cuts[a].keep for a in "ZYX" if a in cuts and a in tensor.letters]
        answers[tensor.id] = ordered[(slice(None), *keep)]
    return answers


def _ordered(
    tensor: Tensor, x: NDArray[np.float32], y: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    letters = tensor.letters
    order = [a for a in "BCZYX" if a in letters]
    if y is None:
        lost_z = x.ndim == 4 and "Z" not in order
        shape = (tensor.channels, *x.shape[2 if lost_z else 1 :])
        return np.zeros(shape, np.float32)
    y = y.transpose([letters.index(a) for a in order])
    y = y[0] if "B" in order else y
    return y if "C" in order else y[None]


def _unchanged(
    y: NDArray[np.float32],
    x: NDArray[np.float32],
    blank: NDArray[np.bool_],
    role: Output,
) -> NDArray[np.float32]:
    """Return blank channels as they came, with no doubt about them."""
    if y.shape[1:] != x.shape[1:] or len(y) % len(x):
        return y
    times = len(y) // len(x)
    came = np.repeat(x, times, axis=0) if role.undo == "affine" else np.float32(0)
    return np.where(np.repeat(blank, times, axis=0), came, y)
