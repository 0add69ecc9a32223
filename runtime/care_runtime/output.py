"""Output: the images a restoration fills, and their calibration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.axes import restored_axes
from care_runtime.canvas import Canvas
from care_runtime.contract import supported
from care_runtime.errors import SpecError
from care_runtime.pixels import result_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_runtime.image import Image
    from care_runtime.job import Job
    from care_runtime.spec import Spec
    from care_runtime.tensor import Tensor


def canvases(
    spec: Spec, job: Job, found: np.dtype[Any], wish: str
) -> dict[str, Canvas]:
    """Make room for every output of a model.

    Parameters
    ----------
    spec, job
        The model, and what is to be done.
    found
        Type of the image.
    wish
        Type asked for, or ``"auto"``.
    """
    return {
        tensor.id: _canvas(spec, tensor, job, found, wish) for tensor in spec.outputs
    }


def _canvas(
    spec: Spec, tensor: Tensor, job: Job, found: np.dtype[Any], wish: str
) -> Canvas:
    role, channels = supported(spec).outputs[tensor.id], tensor.channels
    inverts = job.inverts and role.undo != "none"
    if inverts and channels != job.channels and job.channels > 1:
        msg = (
            f"the output {tensor.id!r} has {channels} channels and the input "
            f"{job.channels}: its normalization cannot be undone, so the description "
            "has to say 'invert: false'"
        )
        raise SpecError(msg)
    keeps_z = not job.volume or "Z" in tensor.letters
    axes = restored_axes(job.axes, channels_out=channels, keeps_z=keeps_z)
    inputs = job.sizes["C"] // job.channels
    sizes = {a: job.stretched(a) for a in axes} | {"C": inputs * channels}
    in_units = inverts and role.undo == "affine"
    dtype = result_type(wish, found, in_units=in_units)
    pixels = np.empty([sizes[a] for a in axes], dtype)
    return Canvas(role, tensor.letters, channels, inverts, axes, pixels)


def images(source: Image, job: Job, drawn: Mapping[str, Canvas]) -> dict[str, Image]:
    """Give the outputs the calibration of the image they were made from."""
    return {name: _calibrated(source, job, canvas) for name, canvas in drawn.items()}


def _calibrated(source: Image, job: Job, canvas: Canvas) -> Image:
    voxel = {}
    for axis, size in source.voxel.items():
        if axis in canvas.axes:
            # Samples run from the centre of the first pixel to that of the last.
            steps = max(job.sizes[axis] - 1, 1), max(job.stretched(axis) - 1, 1)
            voxel[axis] = size * steps[0] / steps[1]
    same_channels = (
        "C" in canvas.axes
        and len(source.channels) == (canvas.pixels.shape[canvas.axes.index("C")])
    )
    return replace(
        source,
        pixels=canvas.pixels,
        axes=canvas.axes,
        voxel=voxel,
        channels=source.channels if same_channels else (),
    )
