"""Restorer: the straight line from an image to its restoration."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import axes as axes_
from care_runtime import job as job_
from care_runtime import pixels as pixels_
from care_runtime.answers import collect
from care_runtime.axes import canonical
from care_runtime.contract import supported
from care_runtime.errors import AxesError, BlankImageWarning, EngineError
from care_runtime.foreign import completed
from care_runtime.image import Image
from care_runtime.measure import measured
from care_runtime.operations import apply
from care_runtime.options import factor_of
from care_runtime.output import canvases, images
from care_runtime.readout import Flag
from care_runtime.resample import gather, samples
from care_runtime.restored import Restored
from care_runtime.trust import Trust, given

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.canvas import Canvas
    from care_runtime.job import Job
    from care_runtime.normalize import Affine
    from care_runtime.options import TileSize
    from care_runtime.output import Empty
    from care_runtime.spec import Spec

    Network = Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]


class Restorer:
    """A model ready to restore images; it has no state and may be shared by threads.

    Parameters
    ----------
    spec
        The model's description.
    network
        Takes a float32 batch of one tile in the axes of ``spec.input`` and returns the
        outputs in the order of ``spec.outputs``: an `Engine`, or any callable.
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
        image: Image | NDArray[Any],
        axes: str | None = None,
        *,
        normalize: str | Sequence[float] = "auto",
        normalize_over: str | None = None,
        tile: TileSize = None,
        factor: float | None = None,
        dtype: str = "auto",
        outputs: Sequence[str] | None = None,
        trust: Trust | None = None,
        empty: Empty = np.empty,
        progress: Callable[[int, int], None] | None = None,
    ) -> Restored:
        """Restore an image of any size.

        Parameters
        ----------
        image
            Pixels, integer or floating, or an `Image` with its calibration.
        axes
            Letters of STCZYX, one for each dimension, in any order. Samples, time
            points, and channels and planes that the network does not read together are
            restored one by one.
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

        Returns
        -------
        Restored
            The restoration with the image's calibration.

        Raises
        ------
        AxesError, ImageError, OptionError, SpecError, EngineError
            If the image does not fit the model, or has pixels that are no numbers.

        Warns
        -----
        BlankImageWarning
            If a frame has no contrast; it is returned unchanged.
        FactorWarning
            If factor, voxel sizes and model disagree.
        """
        image = _image(image, axes)
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
            growth=getattr(self.network, "growth", 1),
        )
        pixels_.check(image.pixels)
        drawn = canvases(self.spec, job, readouts, image.pixels.dtype, dtype, empty)
        blank = self._fill(drawn, canonical(image.pixels, job.axes), job, progress)
        if blank:
            _warn(blank)
        return self._restored(image, job, drawn, blank, trust)

    def _fill(
        self,
        drawn: Sequence[Canvas],
        view: NDArray[Any],
        job: Job,
        progress: Callable[[int, int], None] | None,
    ) -> int:
        """Restore tile by tile, and count the channels that were blank."""
        resample = job.resample
        rounded = resample is not None and resample.rounds(view.dtype)
        lines = {
            a: samples(
                job.sizes[a],
                job.factors.get(a, 1.0),
                before=line.before,
                padded=line.padded,
            )
            for a, line in job.plan.lines.items()
        }
        blank = done = 0
        for (s, t, number), affine in measured(view, job, resample):
            blank += int(np.count_nonzero(affine.blank))
            channels = slice(number * job.channels, (number + 1) * job.channels)
            for plane in job.planes:
                frame = (
                    view[s, t, channels] if job.volume else view[s, t, channels, plane]
                )
                here = affine if job.volume else affine.plane(plane)
                came, frame = frame, apply(job.steps, frame)
                for cuts in job.plan:
                    window = [lines[a][cut.read] for a, cut in cuts.items()]
                    x = here(gather(frame, window, round_=rounded))
                    found = self._ask(x, here)
                    answers = collect(self.spec, x, found, here.blank, cuts)
                    for canvas in drawn:
                        canvas.write(answers, here, (s, t, number, plane), cuts)
                    done += 1
                    if progress is not None:
                        progress(done, len(job))
                for canvas in drawn:
                    canvas.finish((s, t, number, plane), {self.spec.input.id: came})
        return blank

    def _ask(
        self, x: NDArray[np.float32], affine: Affine
    ) -> Sequence[NDArray[np.float32] | None]:
        """Run the network on a tile (C, [Z,] Y, X), unless it is blank."""
        if affine.blank.all():
            return [None] * len(self.spec.outputs)
        axes = "BCZYX" if x.ndim == 4 else "BCYX"
        letters = self.spec.input.letters
        batch = x[None].transpose(
            [axes.index(a) for a in letters + "".join(set(axes) - set(letters))]
        )
        batch = batch.reshape(batch.shape[: len(letters)])
        answers = self.network(batch)
        _check(self.spec, batch, answers)
        return answers

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


def _image(image: Image | NDArray[Any], axes: str | None) -> Image:
    if isinstance(image, Image):
        found = image if axes is None else replace(image, axes=axes)
    elif axes is None:
        shape = np.shape(image)
        msg = f"name the axes of the array of shape {shape}, as in axes='ZYX'"
        raise AxesError(msg)
    else:
        found = Image(np.asarray(image), axes)
    return replace(found, axes=axes_.check(found.axes, found.pixels.shape))


def _check(
    spec: Spec, batch: NDArray[np.float32], answers: Sequence[NDArray[np.float32]]
) -> None:
    """Refuse answers of other shapes than described, for they could still be placed."""
    sizes = dict(zip(spec.input.letters, batch.shape, strict=True))
    expected = [
        tuple((sizes | {"B": 1, "C": tensor.channels})[a] for a in tensor.letters)
        for tensor in spec.outputs
    ]
    found = [y.shape for y in answers]
    if found != expected:
        msg = (
            f"expected outputs of the shapes {expected} from the network, found "
            f"{found}: it is not the one that the description of {spec.name!r} tells of"
        )
        raise EngineError(msg)


def _flagged(drawn: Sequence[Canvas]) -> tuple[float, str] | None:
    """Count what is flagged, as a fraction, and say by which thresholds."""
    for canvas in drawn:
        if isinstance(canvas.readout, Flag):
            part = np.count_nonzero(canvas.pixels) / canvas.pixels.size
            return part, str(canvas.readout)
    return None


def _warn(blank: int) -> None:
    msg = (
        f"{blank} frame(s) or channel(s) have no contrast between the percentiles and "
        "are returned unchanged: give other percentiles or grey values if there is "
        "something to see"
    )
    warnings.warn(msg, BlankImageWarning, stacklevel=3)
