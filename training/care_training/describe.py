"""Description: the spec of a network, before and after its structure is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from torch import nn

from care_runtime.care import CareConfig, Normalization, Output, Tiling
from care_runtime.contract import supported
from care_runtime.spec import Spec
from care_runtime.tensor import (
    Axis,
    Operation,
    ReferenceSize,
    Size,
    SteppedSize,
    Tensor,
)
from care_training import halo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_runtime.care import Resample
    from care_training.form import Form, Network

TILES = {2: {"y": 512, "x": 512}, 3: {"z": 32, "y": 128, "x": 128}}
"""Default kept size of a tile by number of dimensions: a few GB of memory at most."""

CUBE = {"z": 96, "y": 96, "x": 96}
"""The same for networks of axial planes, which need as much of a halo along Z."""

WHOLE = 16
"""Size that bioimage.io tools feed along an axis that may not be cut."""

TAGS = ("image-restoration", "fluorescence-light-microscopy", "care", "unet")

OUTPUTS: dict[str, tuple[Literal["affine", "scale", "none"], str]] = {
    # By id: how normalization is undone, and what it is.
    "mean": ("affine", "Restored image, normalized like the input"),
    "scale": ("scale", "Scale of the Laplace distribution of every pixel"),
    "std": ("scale", "Standard deviation of the ensemble's distribution"),
    "disagreement": ("none", "Disagreement of the ensemble, 0 to 1"),
    "member_mean": ("affine", "Restored image by each network of the ensemble"),
    "member_scale": ("scale", "Scale by each network of the ensemble"),
    "height": ("none", "Plane of the surface that was projected, from 0"),
}
"""Everything that a network may give back."""

CITATION = {
    "text": (
        "Weigert et al., Content-aware image restoration: pushing the limits of "
        "fluorescence microscopy. Nature Methods 15, 1090-1097 (2018)"
    ),
    "doi": "10.1038/s41592-018-0216-7",
}


def describe(
    form: Form,
    *,
    name: str,
    description: str,
    percentiles: tuple[float, float] | None = (2.0, 99.8),
    resample: Resample | None = None,
) -> Spec:
    """Describe a network, all but what `complete` measures.

    Parameters
    ----------
    form
        What the network reads and gives back.
    name, description
        For people.
    percentiles
        Of the normalization; it is undone where the channels of input and output agree.
    resample
        Stretching of the image before the network.
    """
    roles = {
        name: Output(name, OUTPUTS[name][0] if form.same_channels else "none")
        for name in form.outputs
    }
    source = Tensor(
        id="input",
        axes=_axes(form.space, form.channels_in, "channel"),
        description="Image of low quality",
        data={"type": "float32"},
        operations=_preprocessing(percentiles, form.space),
    )
    outputs = tuple(
        Tensor(
            id=role,
            axes=_axes(form.restored, form.channels(role), "restored"),
            description=OUTPUTS[role][1],
            data={"type": "float32"},
        )
        for role in roles
    )
    care = CareConfig(
        task=form.task,
        version="1.0.0",
        normalization=Normalization(percentiles, invert=form.same_channels),
        tiling=Tiling(size=CUBE if form.planes else TILES[len(form.space)]),
        outputs=roles,
        resample=resample,
    )
    about = {"cite": [CITATION], "tags": [f"{len(form.space)}d", *TAGS]}
    return Spec(name, description, (source,), outputs, care=care, about=about)


def with_training(spec: Spec, facts: Mapping[str, Any]) -> Spec:
    """Add facts about the training."""
    care = supported(spec)
    return replace(spec, care=replace(care, training={**care.training, **facts}))


def complete(spec: Spec, network: Network, facts: Mapping[str, Any]) -> Spec:
    """Add the grid and the measured halo of a network, and facts about its training."""
    # Not `supported`: before this, a projection does not say which axis is whole.
    care, form = spec.care, network.form
    assert care is not None
    assert isinstance(network, nn.Module)
    measured = halo.measure(network, form)
    tiling = Tiling(dict(form.grid), measured, _cut(care.tiling.size, form), form.whole)
    training = {**care.training, **facts}
    margins = {axis: tiling.margin(axis) for axis in form.space}
    source = _sized(spec.input, form, margins)
    outputs = tuple(_referring(tensor, source.id, margins) for tensor in spec.outputs)
    care = replace(care, tiling=tiling, training=training)
    return replace(spec, inputs=(source,), outputs=outputs, care=care)


def as_deep(spec: Spec, shape: tuple[int, ...]) -> Spec:
    """Give axes that stay whole the size that they have in the sample (C, [Z,] Y, X).

    bioimage.io tools feed an axis of fixed size nothing else, and they test with it.
    """
    letters = spec.input.letters.replace("B", "")
    axes = tuple(
        replace(axis, size=shape[letters.index(axis.letter)])
        if isinstance(axis.size, int)
        else axis
        for axis in spec.input.axes
    )
    return replace(spec, inputs=(replace(spec.input, axes=axes),))


def _cut(size: Mapping[str, int], form: Form) -> dict[str, int]:
    return {axis: n for axis, n in size.items() if axis not in form.whole}


def _axes(space: str, channels: int, name: str) -> tuple[Axis, ...]:
    names = [name] if channels == 1 else [f"{name}{i}" for i in range(channels)]
    return (
        Axis("batch", "batch"),
        Axis("channel", "channel", channels=tuple(names)),
        *(Axis("space", letter) for letter in space),
    )


def _preprocessing(
    percentiles: tuple[float, float] | None, space: str
) -> tuple[Operation, ...]:
    """Say the normalization in bioimage.io's words, which end with float32."""
    if percentiles is None:
        return (Operation("ensure_dtype", {"dtype": "float32"}),)
    low, high = percentiles
    kwargs = {"axes": list(space), "min_percentile": low, "max_percentile": high}
    return (
        Operation("scale_range", kwargs),
        Operation("ensure_dtype", {"dtype": "float32"}),
    )


def _sized(tensor: Tensor, form: Form, margins: Mapping[str, int]) -> Tensor:
    """Give an input the sizes that other bioimage.io tools may feed it.

    An axis that stays whole has a fixed size: they would tile any other, wrongly.
    """

    def size(axis: str) -> Size:
        if axis in form.whole:
            return WHOLE
        step = form.grid[axis]
        return SteppedSize(2 * margins[axis] + step, step)

    axes = tuple(
        replace(axis, size=size(axis.id)) if axis.kind == "space" else axis
        for axis in tensor.axes
    )
    return replace(tensor, axes=axes)


def _referring(tensor: Tensor, source: str, margins: Mapping[str, int]) -> Tensor:
    axes = tuple(
        replace(axis, size=ReferenceSize(source, axis.id), halo=margins[axis.id])
        if axis.kind == "space"
        else axis
        for axis in tensor.axes
    )
    return replace(tensor, axes=axes)
