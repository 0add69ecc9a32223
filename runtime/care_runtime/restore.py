"""Restorer: the straight line from an image to its restoration."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import job as job_
from care_runtime import pixels as pixels_
from care_runtime.axes import canonical
from care_runtime.contract import supported
from care_runtime.errors import BlankImageWarning
from care_runtime.foreign import completed
from care_runtime.intake import images_of
from care_runtime.options import factor_of
from care_runtime.output import canvases, images, require_apart, taken
from care_runtime.pixels import chunks
from care_runtime.readout import Flag
from care_runtime.restored import Restored
from care_runtime.trust import Trust, given
from care_runtime.work import fill_somehow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.canvas import Canvas
    from care_runtime.image import Image
    from care_runtime.job import Job
    from care_runtime.ledger import Ledger
    from care_runtime.options import TileSize
    from care_runtime.output import Empty
    from care_runtime.spec import Spec
    from care_runtime.work import Cancel, Network, Progress


class Restorer:
    """A model ready to restore images; it has no state and may be shared by threads.

    Parameters
    ----------
    spec
        The model's description.
    network
        Takes float32 batches of one tile, in the order and axes of ``spec.inputs``, and
        returns the outputs in the order of ``spec.outputs``: an `Engine`, or any
        callable.
    provenance
        Facts about the model and device that are kept with every restoration.
    """

    def __init__(
        self,
        spec: Spec,
        network: Network,
        provenance: Mapping[str, str] | None = None,
    ) -> None:
        self.spec, self.network = completed(spec), network
        self.provenance = dict(provenance or {})
        self._care = supported(self.spec)

    def __call__(
        self,
        image: Image | NDArray[Any] | Mapping[str, Any] | Any,
        axes: str | Mapping[str, str] | None = None,
        *,
        normalize: str | Sequence[float] = "auto",
        normalize_over: str | None = None,
        tile: TileSize = None,
        factor: float | None = None,
        dtype: str = "auto",
        outputs: Sequence[str] | None = None,
        trust: Trust | None = None,
        empty: Empty = np.empty,
        progress: Progress = None,
        cancel: Cancel = None,
        out: Any = None,
        ledger: Ledger | None = None,
    ) -> Restored:
        """Restore an image of any size.

        Parameters
        ----------
        image
            Pixels, integer or floating, or an `Image` with its calibration. Arrays of
            zarr, dask, h5py and others that have ``shape``, ``dtype`` and parts by
            ``[...]`` are read tile by tile. A model with several inputs takes an
            image for each, by its id; all have one size, and the restoration has the
            axes, type and calibration of the first.
        axes
            Letters of STCZYX, one for each dimension, in any order; by id where images
            of several inputs have different ones. Samples, time points, and channels
            and planes that the network does not read together are restored one by one.
        normalize
            ``"auto"`` for the model's percentiles, ``"none"``, percentiles as
            ``"LOW,HIGH"`` or two numbers, or grey values as ``"values:LOW,HIGH"``.
        normalize_over
            ``"frame"`` measures percentiles of every time point on its own,
            ``"movie"`` of all of them together, so that nothing flickers; None leaves
            it to the model.
        tile
            Kept size of a tile in pixels, for all axes or by axis, rounded up to the
            network's grid; ``"whole"`` for none. It changes speed and memory only.
        factor
            By how much Z is stretched before the network, where the model does; None
            for the ratio of the image's voxel sizes (isotropic models) or the model's.
        dtype
            ``"auto"`` returns the type of an integer image where the output is in its
            units, rounded and clipped, and float32 else; or the name of a type.
        outputs
            Ids of the network's outputs to return, None for all of them.
        trust
            What to make of the predicted distribution: bounds, random draws, a mask.
        empty
            Makes the array of an image of some shape and type; one that maps a file
            keeps images out of memory that are larger than it.
        progress
            Called with the number of tiles done and of all tiles, after each.
        cancel
            Asked before every tile whether to stop.
        out
            Array to write the main image into, or arrays by output: of NumPy, a memory
            map, zarr and the like; it has the shape and type of the result.
        ledger
            Knows which tiles were done before, and is told of those done now.

        Returns
        -------
        Restored
            The restoration with the image's calibration.

        Raises
        ------
        AxesError, ImageError, OptionError, SpecError, EngineError
            If the image does not fit the model, or has pixels that are no numbers.
        CancelledError
            If `cancel` said so; what was done lies in `out` or `empty`'s arrays.

        Warns
        -----
        BlankImageWarning
            If a frame has no contrast; it is returned unchanged.
        FactorWarning
            If factor, voxel sizes and model disagree.
        TileWarning
            If memory was short, and tiles had to be smaller.
        """
        sources = images_of(self.spec, image, axes)
        image = sources[0]
        trust = trust or Trust()
        readouts = given(self.spec, outputs) + trust.readouts(self.spec)
        job = job_.make(
            self.spec,
            image.axes,
            image.pixels.shape,
            normalize=normalize,
            normalize_over=normalize_over,
            tile=tile,
            factor=factor_of(image, factor, self._care.resample),
            least=getattr(self.network, "least", 0),
            shortest=getattr(self.network, "shortest", 1),
            growth=getattr(self.network, "growth", None),
            room=getattr(self.network, "room", None),
        )
        for each in sources:
            pixels_.check(each.pixels)
        require_apart(out, [each.pixels for each in sources])
        made = taken(out, readouts, empty)
        drawn = canvases(self.spec, job, readouts, image.pixels.dtype, dtype, made)
        blank, job = fill_somehow(
            self.spec,
            self.network,
            drawn,
            [canonical(each.pixels, each.axes) for each in sources],
            job,
            progress=progress,
            cancel=cancel,
            ledger=ledger,
        )
        if blank:
            _warn(blank)
        return self._restored(image, job, drawn, blank, trust)

    def _restored(
        self,
        image: Image,
        job: Job,
        drawn: Sequence[Canvas],
        blank: int,
        trust: Trust,
    ) -> Restored:
        flags = _flagged(drawn)
        facts = {**self.provenance, **job.facts(), **trust.facts()}
        if image.cut:
            facts["cut out"] = image.cut
        if flags is not None:
            facts["flagged"] = f"{100 * flags[0]:.2f} % of pixels ({flags[1]})"
        return Restored(
            images=images(image, job, drawn),
            main=drawn[0].readout.id,
            provenance=facts,
            saturated=drawn[0].saturated,
            blank=blank,
            flagged=None if flags is None else flags[0],
        )


def _flagged(drawn: Sequence[Canvas]) -> tuple[float, str] | None:
    """Count what is flagged, as a fraction, and say by which thresholds."""
    for canvas in drawn:
        if isinstance(canvas.readout, Flag):
            count = sum(int(np.count_nonzero(part)) for part in chunks(canvas.pixels))
            return count / canvas.pixels.size, str(canvas.readout)
    return None


def _warn(blank: int) -> None:
    msg = (
        f"{blank} frame(s) or channel(s) have no contrast between the percentiles and "
        "are returned unchanged: give other percentiles or grey values if there is "
        "something to see"
    )
    warnings.warn(msg, BlankImageWarning, stacklevel=3)
