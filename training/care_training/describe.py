"""Description: the spec of a network, before and after its structure is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from care_runtime.care import CareConfig, Normalization, Output, Tiling
from care_runtime.spec import Spec
from care_runtime.tensor import Axis, Operation, ReferenceSize, SteppedSize, Tensor
from care_training import halo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_training.unet import UNet, UNetConfig

TILES = {2: {"y": 512, "x": 512}, 3: {"z": 32, "y": 128, "x": 128}}
"""Default kept size of a tile by number of dimensions: a few GB of memory at most."""

CITATION = {
    "text": (
        "Weigert et al., Content-aware image restoration: pushing the limits of "
        "fluorescence microscopy. Nature Methods 15, 1090-1097 (2018)"
    ),
    "doi": "10.1038/s41592-018-0216-7",
}


def describe(
    config: UNetConfig,
    *,
    name: str,
    description: str,
    percentiles: tuple[float, float] | None = (2.0, 99.8),
    about: Mapping[str, Any] | None = None,
) -> Spec:
    """Describe a denoising U-Net, all but what `complete` measures.

    Parameters
    ----------
    config
        The network.
    name, description
        For people.
    percentiles
        Of the normalization; it is undone where the channels of input and output agree.
    about
        Authors, licence, tags and the like.
    """
    space = "zyx"[3 - config.dims :]
    same = config.channels_in == config.channels_out
    return Spec(
        name=name,
        description=description,
        inputs=(
            Tensor(
                id="input",
                axes=_axes(space, config.channels_in, "channel"),
                description="Image of low quality",
                data={"type": "float32"},
                operations=_preprocessing(percentiles, space),
            ),
        ),
        outputs=(
            Tensor(
                id="mean",
                axes=_axes(space, config.channels_out, "restored"),
                description="Restored image, normalized like the input",
                data={"type": "float32"},
            ),
        ),
        care=CareConfig(
            task="denoising",
            version="1.0.0",
            normalization=Normalization(percentiles, invert=same),
            tiling=Tiling(size=TILES[config.dims]),
            outputs={"mean": Output("mean", "affine" if same else "none")},
        ),
        about={"cite": [CITATION], "tags": _tags(config.dims), **(about or {})},
    )


def complete(spec: Spec, network: UNet, training: Mapping[str, Any]) -> Spec:
    """Add the grid and the measured halo of a network, and how it was trained."""
    assert spec.care is not None
    config = network.config
    space = "zyx"[3 - config.dims :]
    measured = halo.measure(
        network, space, config.multiple, channels=config.channels_in
    )
    grid = dict.fromkeys(space, config.multiple)
    tiling = replace(spec.care.tiling, multiple=grid, halo=measured)
    care = replace(
        spec.care, tiling=tiling, training={**spec.care.training, **training}
    )
    margins = {a: -(-measured[a] // grid[a]) * grid[a] for a in space}
    source = _sized(spec.input, grid, margins)
    outputs = tuple(_referring(tensor, source.id, margins) for tensor in spec.outputs)
    return replace(spec, inputs=(source,), outputs=outputs, care=care)


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


def _sized(
    tensor: Tensor, grid: Mapping[str, int], margins: Mapping[str, int]
) -> Tensor:
    """Give an input the sizes that other bioimage.io tools may feed it."""
    axes = tuple(
        replace(
            axis, size=SteppedSize(2 * margins[axis.id] + grid[axis.id], grid[axis.id])
        )
        if axis.kind == "space"
        else axis
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


def _tags(dims: int) -> list[str]:
    return [
        f"{dims}d",
        "denoising",
        "image-restoration",
        "fluorescence",
        "care",
        "unet",
    ]
