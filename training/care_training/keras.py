"""Keras: the convolutions of its legacy HDF5 weights, read without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from care_runtime.errors import FileError, SpecError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Layer = tuple[str, "NDArray[np.float32]", "NDArray[np.float32]"]
"""Name, kernel and bias of a convolution."""


def layers(path: Path) -> list[Layer]:
    """Read kernels and biases from Keras' legacy HDF5, in the order of the network."""
    import h5py

    found: list[Layer] = []
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            for name in root.attrs["layer_names"]:
                group = root[name]
                arrays = [
                    np.asarray(group[weight], np.float32)
                    for weight in group.attrs["weight_names"]
                ]
                pairs = zip(arrays[::2], arrays[1::2], strict=True)
                found += [(_text(name), kernel, bias) for kernel, bias in pairs]
    except (OSError, KeyError, ValueError) as error:
        msg = f"cannot read {path} as Keras weights: {error}"
        raise FileError(msg) from error
    return found


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def load(network: torch.nn.Module, layers: list[Layer], axes: str) -> None:
    """Copy the layers of a Keras network into ours, which has them in the same order.

    Parameters
    ----------
    network
        Of the same architecture.
    layers
        Its convolutions in the order of the network.
    axes
        Order of the space axes in Keras' kernels, such as ``"ZYXC"``.
    """
    kinds = (torch.nn.Conv2d, torch.nn.Conv3d)
    ours = [module for module in network.modules() if isinstance(module, kinds)]
    if len(ours) != len(layers):
        msg = (
            f"the weights have {len(layers)} convolutions, but config.json describes a "
            f"network of {len(ours)}: they belong to another one"
        )
        raise SpecError(msg)
    for module, layer in zip(ours, layers, strict=True):
        copy_layer(module, layer, axes)


def copy_layer(
    module: torch.nn.Conv2d | torch.nn.Conv3d,
    layer: Layer,
    axes: str,
) -> None:
    """Copy a Keras kernel (space, in, out) into a torch weight (out, in, Z, Y, X)."""
    name, kernel, bias = layer
    outward, inward, *sizes = module.weight.shape
    ours = "ZYX"[-len(sizes) :]  # the 2-D part of a projection has lost the Z of axes
    theirs = [a for a in axes if a in ours]
    expected = [sizes[ours.index(a)] for a in theirs]
    if kernel.shape != (*expected, inward, outward):
        msg = (
            f"the layer {name!r} has a kernel of shape {kernel.shape}, expected "
            f"{(*expected, inward, outward)}: the weights belong to another config.json"
        )
        raise SpecError(msg)
    space = [theirs.index(a) for a in ours]
    weight = kernel.transpose(len(space) + 1, len(space), *space)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
        module.bias.copy_(torch.from_numpy(bias))  # type: ignore[union-attr]
