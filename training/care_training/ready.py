"""Ready: batches of patches that were cut and normalized before they were published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import TrainingError
from care_training.patches import Patches, order, turned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from care_training.form import Form
    from care_training.pairs import Pair


class ReadyPatches:
    """Patches that need no more than to be put in order, and perhaps to be turned.

    As with `Patches`, each one is a pure function of the seed and its number. All are
    drawn once before one is drawn again, in a new order each time. Pixels are read when
    a patch is drawn.

    Parameters
    ----------
    pairs
        Patches (C, [Z,] Y, X), normalized, all of one size. Those of an isotropic
        network are planes (C, Y, X) that were degraded along X, and as large as their
        targets.
    form
        Of the network that reads them.
    seed
        Of all draws.
    augment
        Flip patches in the lateral plane and, where both its axes are alike, turn them.

    Raises
    ------
    TrainingError
        If there are none, or they do not fit the network.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        form: Form,
        *,
        seed: int = 0,
        augment: bool = False,
    ) -> None:
        if not pairs:
            msg = (
                "expected patches to train on and patches to hold back, found none: "
                "hold back more or less of them, or give a larger file"
            )
            raise TrainingError(msg)
        _require_fit(pairs[0], form)
        self.pairs, self.seed, self.augment = pairs, seed, augment
        self.planes = form.planes

    def batch(self, step: int, size: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Draw the batch of one optimizer step.

        Returns
        -------
        low, high
            Float32 of shape (size, C, [Z,] Y, X).
        """
        drawn = [self[step * size + i] for i in range(size)]
        low, high = zip(*drawn, strict=True)
        return np.stack(low), np.stack(high)

    def __getitem__(self, number: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Draw one patch by its number."""
        turn, place = divmod(number, len(self.pairs))
        pair = self.pairs[int(order(self.seed, turn, len(self.pairs))[place])]
        images = [np.array(image, np.float32) for image in (pair.low, pair.high)]
        if self.augment:
            rng = np.random.default_rng([self.seed, 0, number])
            images = turned(rng, images, quarters=not self.planes)
        return images[0], images[1]


AnyPatches = Patches | ReadyPatches
"""What gives the batches of a training."""


def _require_fit(pair: Pair, form: Form) -> None:
    """Refuse patches with other channels, axes or sizes than the network takes."""
    space, restored = (
        axes[-2:] if form.planes else axes for axes in (form.space, form.restored)
    )
    sizes = pair.low.shape[1:]
    grid = [1 if axis in form.whole else form.grid[axis] for axis in space]
    fits = (
        pair.low.ndim == 1 + len(space)
        and pair.high.ndim == 1 + len(restored)
        and (len(pair.low), len(pair.high)) == (form.channels_in, form.channels_out)
        and all(size % step == 0 for size, step in zip(sizes, grid, strict=True))
        and pair.low.shape[-2:] == pair.high.shape[-2:]
    )
    if not fits:
        msg = (
            f"expected patches of {form.channels_in} channel(s) and sizes "
            f"{space.upper()} that are multiples of {grid}, and targets of "
            f"{form.channels_out} channel(s) {restored.upper()} as large, found "
            f"{pair.low.shape} and {pair.high.shape} in {pair.name}: train another "
            "network on them, or give other patches"
        )
        raise TrainingError(msg)
