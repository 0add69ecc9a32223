"""Job: everything about a restoration that is decided before a pixel is touched."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from care_runtime import axes as axes_
from care_runtime.contract import supported
from care_runtime.errors import ImageError
from care_runtime.feed import feeds
from care_runtime.image import AXES
from care_runtime.options import read_factor, read_normalization, read_tile
from care_runtime.planning import fitted, planned
from care_runtime.resample import stretched
from care_runtime.tiling import Plan, grown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from care_runtime.care import Normalization, Resample
    from care_runtime.feed import Feed
    from care_runtime.options import TileSize
    from care_runtime.spec import Spec
    from care_runtime.tensor import Operation


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with an image of known axes and shape.

    Parameters
    ----------
    axes
        Of the image, in its own order.
    sizes
        Pixels of the image along each of STCZYX.
    feeds
        What each input of the network reads; the first of the image itself, others of
        images that lie on its grid.
    volume
        Whether the network reads Z; else planes are looped over.
    resample
        Stretching before the network, with the image's own factor.
    normalization
        How the image is normalized.
    values
        Fixed grey values for 0 and 1, instead of percentiles.
    plan
        Tiles of one frame.
    """

    axes: str
    sizes: Mapping[str, int]
    feeds: tuple[Feed, ...]
    volume: bool
    resample: Resample | None
    normalization: Normalization
    values: tuple[float, float] | None
    plan: Plan

    @property
    def channels(self) -> int:
        """Channels of the image that the network reads together."""
        return self.feeds[0].channels

    @property
    def steps(self) -> tuple[Operation, ...]:
        """What is done with frames of any input before the network."""
        return tuple(step for feed in self.feeds for step in feed.steps)

    @property
    def inverts(self) -> bool:
        """Whether normalization is undone, so that outputs are in grey values."""
        norm = self.normalization
        return norm.invert and (norm.percentiles is not None or self.values is not None)

    @property
    def factors(self) -> dict[str, float]:
        """Stretching by axis."""
        return (
            {self.resample.axis.upper(): self.resample.factor} if self.resample else {}
        )

    def stretched(self, letter: str) -> int:
        """Pixels along an axis when it reaches the network."""
        return stretched(self.sizes[letter], self.factors.get(letter, 1.0))

    @property
    def planes(self) -> range:
        """Planes that are restored one by one; a single step for a volume."""
        return range(1 if self.volume else self.sizes["Z"])

    def inputs(self) -> Iterator[tuple[int, int, int]]:
        """Go through samples, time points and groups of channels read together."""
        groups = self.sizes["C"] // self.channels
        samples, times = range(self.sizes["S"]), range(self.sizes["T"])
        return product(samples, times, range(groups))

    def facts(self) -> dict[str, str]:
        """Say in words what is done, to be kept with the pixels."""
        norm = self.normalization
        if self.values is not None:
            normalized = "grey values {:g} to {:g}".format(*self.values)
        elif norm.percentiles is not None:
            low, high = norm.percentiles
            normalized = f"percentiles {low:g} to {high:g} over {norm.axes}"
        else:
            normalized = self._steps()
        tile = " x ".join(f"{a} {n}" for a, n in self.plan.tile.items())
        said = {"normalization": normalized, "tile": tile}
        if self.resample is not None:
            axis, factor = self.resample.axis, self.resample.factor
            said["factor"] = f"{factor:.6g} along {axis.upper()}"
        return said

    def _steps(self) -> str:
        """Name the steps of each input, or those of all where they are alike."""
        said = {f.id: ", ".join(s.id for s in f.steps) or "none" for f in self.feeds}
        if len(set(said.values())) == 1:
            return said[self.feeds[0].id]
        return "; ".join(f"{name}: {steps}" for name, steps in said.items())

    def __len__(self) -> int:
        """Count the tiles of the whole image."""
        groups = self.sizes["S"] * self.sizes["T"] * self.sizes["C"] // self.channels
        return groups * len(self.planes) * len(self.plan)


def make(
    spec: Spec,
    axes: str,
    shape: tuple[int, ...],
    *,
    normalize: str | Sequence[float] = "auto",
    normalize_over: str | None = None,
    tile: TileSize = None,
    factor: float | None = None,
    least: int = 0,
    shortest: int = 1,
    growth: Mapping[int, float] | None = None,
    room: int | None = None,
) -> Job:
    """Decide how an image is restored.

    Parameters
    ----------
    spec
        The model.
    axes, shape
        Of the image.
    normalize, normalize_over, tile, factor
        What the user wishes; see `options`.
    least
        Pixels that a tile has at least at the bottom of the network.
    shortest
        Pixels that a tile has at least along each axis that is cut.
    growth
        How many times the pixels of the model's own tiles may be read at once, by the
        number of axes that the network reads, where less is computed twice then and
        the user names no size; none is once.
    room
        Pixels that a tile has at most where the user names no size, if that is known;
        the model's own tiles are enlarged or halved, whatever `growth` says.

    Raises
    ------
    SpecError
        If the model needs what this runtime cannot do.
    AxesError
        If the image does not have what the model needs.
    ImageError
        If the image is empty.
    OptionError
        If an option means nothing.
    """
    care = supported(spec)
    axes = axes_.check(axes, shape)
    if 0 in shape:
        msg = f"the image has the shape {shape} and thus no pixels: nothing to restore"
        raise ImageError(msg)
    tensor = spec.input
    axes_.fit(axes, shape, tensor.letters, tensor.channels)
    sizes = dict.fromkeys(AXES, 1) | dict(zip(axes, shape, strict=True))
    volume = "Z" in tensor.letters
    resample = read_factor(factor, care.resample)
    factors = {resample.axis.upper(): resample.factor} if resample else {}
    reached = {
        letter.lower(): stretched(sizes[letter], factors.get(letter, 1.0))
        for letter in ("ZYX" if volume else "YX")
    }
    kept = read_tile(tile, care.tiling.size)
    fixed = {*care.tiling.whole, *care.tiling.exact}
    kept = {a: kept[a] for a in reached if a in kept and a not in fixed}
    if tile is None and room is not None:
        kept, growth = fitted(reached, care.tiling, kept, room)
    if tile is None and growth:
        multiple, halo = care.tiling.multiple, care.tiling.halo
        kept = grown(reached, multiple, halo, kept, growth[len(reached)])
    plan = planned(reached, care.tiling, kept, least, shortest)
    normalization, values = read_normalization(
        normalize, care.normalization, normalize_over
    )
    return Job(
        axes,
        sizes,
        feeds(
            spec,
            normalization,
            steps=isinstance(normalize, str) and normalize == "auto",
        ),
        volume,
        resample,
        normalization,
        values,
        plan,
    )


def smaller(spec: Spec, job: Job, *, least: int, shortest: int) -> Job | None:
    """Take smaller tiles for a job, about half; None where there are none.

    Parameters
    ----------
    spec, job
        The model, and what is to be done.
    least, shortest
        As in `make`.
    """
    tiling, plan = supported(spec).tiling, job.plan
    sizes = {a.lower(): job.stretched(a) for a in plan.lines}
    kept = {
        a.lower(): max(cut.write.stop - cut.write.start for cut in line.cuts)
        for a, line in plan.lines.items()
        if a.lower() not in tiling.whole
    }
    while any(n > tiling.multiple.get(a, 1) for a, n in kept.items()):
        longest = max(kept, key=lambda axis: kept[axis])
        kept[longest] = max(kept[longest] // 2, 1)
        found = planned(sizes, tiling, kept, least, shortest)
        if math.prod(found.tile.values()) < math.prod(plan.tile.values()):
            return replace(job, plan=found)
    return None
