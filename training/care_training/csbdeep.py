"""CSBDeep: models that laboratories trained with it, read without TensorFlow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from care_runtime.errors import FileError, SpecError
from care_training import card, describe, export
from care_training.simulate import Camera, filaments
from care_training.unet import UNet, UNetConfig

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.package import Package

CLASSES = ("CARE", "UpsamplingCARE", "IsotropicCARE", "ProjectionCARE")
"""What a `config.json` cannot tell, for a CARE and an upsampling one look alike."""

SUPPORTED = ("CARE",)

Layers = dict[str, "tuple[NDArray[np.float32], NDArray[np.float32]]"]
"""Kernel and bias of each convolution, by name and in the order of the network."""


@dataclass(frozen=True, slots=True)
class CSBDeepModel:
    """A model folder: what CSBDeep's `Config` says, and the network.

    Parameters
    ----------
    name
        Of the folder.
    config
        Values of ``config.json``.
    network
        With the folder's weights.
    """

    name: str
    config: dict[str, Any]
    network: UNet


def read(folder: Path, kind: str = "CARE") -> CSBDeepModel:
    """Read a CSBDeep model folder.

    Parameters
    ----------
    folder
        Holds ``config.json`` and ``weights_best.h5`` (or another h5 of that kind).
    kind
        Which of `CLASSES` the model was trained as.

    Raises
    ------
    FileError
        If a file is missing or cannot be read.
    SpecError
        If the model is of a kind that cannot be imported.
    """
    config = _config(folder)
    if kind not in SUPPORTED:
        msg = f"expected a model of class {', '.join(SUPPORTED)}, not {kind}"
        raise SpecError(msg)
    for key, expected in (("probabilistic", False), ("proj_axis", None)):
        if config.get(key, expected) != expected:
            msg = (
                f"{folder}/config.json says {key}: {config[key]!r}, which is not "
                f"imported yet: expected a plain CARE model"
            )
            raise SpecError(msg)
    network = UNet(unet_config(config))
    load_unet(network, _layers(_weights_file(folder)), str(config["axes"]))
    return CSBDeepModel(folder.name, config, network)


def unet_config(config: dict[str, Any]) -> UNetConfig:
    """Translate CSBDeep's `Config`."""
    return UNetConfig(
        dims=config["n_dim"],
        channels_in=config["n_channel_in"],
        channels_out=config["n_channel_out"],
        depth=config["unet_n_depth"],
        kernel=config["unet_kern_size"],
        filters=config["unet_n_first"],
        residual=config["unet_residual"],
        last_activation=config["unet_last_activation"],
    )


def load_unet(network: UNet, layers: Layers, axes: str) -> None:
    """Copy the layers of a Keras U-Net into ours.

    Parameters
    ----------
    network
        Of the same architecture.
    layers
        Its convolutions; the named ones go by name, the head is what is left.
    axes
        Order of the space axes in Keras' kernels, such as ``"ZYXC"``.
    """
    depth = network.config.depth
    names = [f"down_level_{n}_no_{i}" for n in range(depth) for i in range(2)]
    names += ["middle_0", "middle_2"]
    names += [f"up_level_{n}_no_{i}" for n in reversed(range(depth)) for i in (0, 2)]
    missing = [name for name in names if name not in layers]
    heads = [name for name in layers if name not in names]
    if missing or len(heads) != 1:
        msg = (
            f"the weights do not fit the configuration: missing layers {missing}, "
            f"expected one head, found {heads}"
        )
        raise SpecError(msg)
    ours = [
        m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Conv3d)
    ]
    for name, module in zip([*names, *heads], ours, strict=True):
        copy_layer(module, layers[name], axes, name)


def copy_layer(
    module: torch.nn.Conv2d | torch.nn.Conv3d,
    layer: tuple[NDArray[np.float32], NDArray[np.float32]],
    axes: str,
    name: str,
) -> None:
    """Copy a Keras kernel (space, in, out) into a torch weight (out, in, Z, Y, X)."""
    kernel, bias = layer
    space = [axes.replace("C", "").index(a) for a in "ZYX" if a in axes]
    outward, inward, *sizes = module.weight.shape
    expected = [sizes["ZYX"[-len(sizes) :].index(a)] for a in axes if a != "C"]
    if kernel.shape != (*expected, inward, outward):
        msg = (
            f"the layer {name!r} has a kernel of shape {kernel.shape}, expected "
            f"{(*expected, inward, outward)}: the weights belong to another config.json"
        )
        raise SpecError(msg)
    weight = kernel.transpose(len(space) + 1, len(space), *space)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
        module.bias.copy_(torch.from_numpy(bias))  # type: ignore[union-attr]


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except OSError as error:
        msg = f"cannot read {path}: expected the folder of a CSBDeep model"
        raise FileError(msg) from error
    except ValueError as error:
        msg = f"{path} is no JSON: {error}"
        raise FileError(msg) from error
    needed = ("n_dim", "axes", "n_channel_in", "n_channel_out", "unet_n_depth")
    missing = [key for key in needed if key not in config]
    if missing:
        msg = (
            f"{path} lacks {', '.join(missing)}: expected a CSBDeep CARE configuration"
        )
        raise SpecError(msg)
    return dict(config)


def _weights_file(folder: Path) -> Path:
    """Choose as CSBDeep does: the newest h5 named ``best``, else the newest."""
    found = sorted(
        (p for p in folder.iterdir() if p.suffix in (".h5", ".hdf5")),
        key=lambda p: ("best" in p.name, p.stat().st_mtime),
    )
    if not found:
        msg = f"{folder} holds no weights: expected weights_best.h5"
        raise FileError(msg)
    return found[-1]


def _layers(path: Path) -> Layers:
    """Read kernels and biases from Keras' legacy HDF5."""
    import h5py

    layers: Layers = {}
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            for name in root.attrs["layer_names"]:
                name = name.decode() if isinstance(name, bytes) else str(name)
                arrays = _arrays(root[name])
                if arrays:
                    layers[name] = (arrays["kernel"], arrays["bias"])
    except (OSError, KeyError) as error:
        msg = f"cannot read {path} as Keras weights: {error}"
        raise FileError(msg) from error
    return layers


def _arrays(group: Any) -> dict[str, NDArray[np.float32]]:
    found = {}
    for name in group.attrs["weight_names"]:
        name = name.decode() if isinstance(name, bytes) else str(name)
        key = name.rpartition("/")[2].partition(":")[0]
        found[key] = np.asarray(group[name], np.float32)
    return found


def convert(
    model: CSBDeepModel, folder: Path, percentiles: tuple[float, float] = (2.0, 99.8)
) -> Package:
    """Write an imported model as a package; its sample is simulated.

    Parameters
    ----------
    model
        What `read` returned.
    folder
        Of the package.
    percentiles
        Of the normalization, which a CSBDeep model does not record; those of its
        `PercentileNormalizer` by default.
    """
    config = model.network.config
    spec = describe.describe(
        config,
        name=model.name,
        description=f"CSBDeep model {model.name}, imported from its Keras weights.",
        percentiles=percentiles,
    )
    rng = np.random.default_rng(0)
    shape = (64, 96, 96) if config.dims == 3 else (256, 256)
    low = np.stack(
        [Camera().expose(filaments(shape, rng), rng) for _ in range(config.channels_in)]
    )
    facts = card.Facts(
        origin="unknown",
        data="A CSBDeep model does not record what it was trained on.",
        licence="unknown",
        limits=("Use it only on images like those it was trained on.",),
        training={"imported from": "CSBDeep", "loss": model.config.get("train_loss")},
    )
    text = card.card(model.name, spec, facts, None)
    contents = export.Contents(export.Sample(low), text, {"origin": "imported"})
    return export.export(model.network, spec, contents, folder)
