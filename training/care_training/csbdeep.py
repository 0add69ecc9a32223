"""CSBDeep: models that laboratories trained with it, read without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.care import Resample
from care_runtime.errors import FileError, OptionError, RecipeError, SpecError
from care_training import card, csbconfig, describe, export, keras
from care_training.isotropic import Isotropic, IsotropicConfig
from care_training.projection import Projection, ProjectionConfig
from care_training.sample import Sample
from care_training.simulate import Camera, filaments
from care_training.unet import UNet, UNetConfig

if TYPE_CHECKING:
    from pathlib import Path

    from care_runtime.package import Package
    from care_runtime.restore import Restorer
    from care_training.projection import Height

CLASSES = ("CARE", "UpsamplingCARE", "IsotropicCARE", "ProjectionCARE")
"""What a `config.json` cannot tell, for a CARE and an upsampling one look alike."""

PROJECTION = {
    "proj_n_depth": "depth",
    "proj_n_filt": "filters",
    "proj_n_conv_per_depth": "convolutions",
    "proj_kern": "kernel",
    "proj_pool": "pool",
}
"""Keys of a projection, by our names; CSBDeep has the same defaults for those left out,
as the number of convolutions was before 2019."""

FACTOR = ("UpsamplingCARE", "IsotropicCARE")
"""Classes that stretch the image first, by a factor that no file records."""

AnyNetwork = UNet | Projection | Isotropic


@dataclass(frozen=True, slots=True)
class CSBDeepModel:
    """A model folder: what CSBDeep's `Config` says, and the network.

    Parameters
    ----------
    name
        Of the folder.
    kind
        Which of `CLASSES` it was trained as.
    config
        Values of ``config.json``.
    network
        With the folder's weights.
    """

    name: str
    kind: str
    config: dict[str, Any]
    network: AnyNetwork


def read(folder: Path, kind: str = "CARE", height: Height = "") -> CSBDeepModel:
    """Read a CSBDeep model folder.

    Parameters
    ----------
    folder
        Holds ``config.json`` and ``weights_best.h5`` (or another h5 of that kind).
    kind
        Which of `CLASSES` the model was trained as; a projection is recognized.
    height
        Height map that a projection is to give as well; see `ProjectionConfig`.

    Raises
    ------
    FileError
        If a file is missing or cannot be read.
    OptionError
        If there is no such class, or it has no height map.
    SpecError
        If the model is of a kind that cannot be imported, or of another than said.
    """
    config = csbconfig.read(folder)
    if kind not in CLASSES:
        msg = f"expected a model of class {', '.join(CLASSES)}, found {kind!r}"
        raise OptionError(msg)
    if "proj_axis" in config and kind == "CARE":
        kind = "ProjectionCARE"
    if ("proj_axis" in config) != (kind == "ProjectionCARE"):
        msg = (
            f"{folder}/config.json is {'' if 'proj_axis' in config else 'not '}that of "
            f"a projection, which does not go with --class {kind}"
        )
        raise SpecError(msg)
    if height and kind != "ProjectionCARE":
        msg = f"a model of class {kind} projects no surface: leave --height-map out"
        raise OptionError(msg)
    _require_axes(folder, config, kind)
    try:
        network = _network(config, kind, height)
    except RecipeError as error:
        msg = f"{folder}/config.json: {error}"
        raise SpecError(msg) from error
    # An isotropic model is fed planes with Z last, whatever it calls its axes.
    axes = "YXC" if kind == "IsotropicCARE" else str(config["axes"])
    keras.load(network, keras.layers(_weights_file(folder)), axes)
    return CSBDeepModel(folder.resolve().name, kind, config, network)


def _require_axes(folder: Path, config: dict[str, Any], kind: str) -> None:
    """Refuse a model of other axes, which CSBDeep calls Z, Y, X and also T."""
    expected = ["YX"] if kind == "IsotropicCARE" else ["YX", "ZYX"]
    expected = ["ZYX"] if kind == "ProjectionCARE" else expected
    if sorted(_space(config)) not in [sorted(space) for space in expected]:
        msg = (
            f"{folder}/config.json has the axes {config['axes']!r}: expected "
            f"{' or '.join(expected)}, in any order, of a model of class {kind}"
        )
        raise SpecError(msg)


def _network(config: dict[str, Any], kind: str, height: Height) -> AnyNetwork:
    unet = unet_config(config)
    if kind == "ProjectionCARE":
        return Projection(replace(projection_config(config), height=height))
    return Isotropic(IsotropicConfig(unet)) if kind == "IsotropicCARE" else UNet(unet)


def unet_config(config: dict[str, Any]) -> UNetConfig:
    """Translate the part of CSBDeep's `Config` that tells of the U-Net."""
    return UNetConfig(
        dims=2 if "proj_axis" in config else len(_space(config)),
        channels_in=config["n_channel_in"],
        channels_out=config["n_channel_out"],
        depth=config["unet_n_depth"],
        kernel=config["unet_kern_size"],
        filters=config["unet_n_first"],
        residual=config["unet_residual"],
        last_activation=config["unet_last_activation"],
        probabilistic=config["probabilistic"],
    )


def projection_config(config: dict[str, Any]) -> ProjectionConfig:
    """Translate CSBDeep's `ProjectionConfig`."""
    if config["proj_axis"] != "Z":
        msg = f"expected a projection along Z, found {config['proj_axis']!r}"
        raise SpecError(msg)
    order = [_space(config).index(a) for a in "ZYX"]
    found = {ours: config[key] for key, ours in PROJECTION.items() if key in config}
    for sizes in {"kernel", "pool"} & found.keys():
        found[sizes] = tuple(found[sizes][i] for i in order)
    return ProjectionConfig(unet_config(config), **found)


def _space(config: dict[str, Any]) -> str:
    """Drop what is no axis of space: samples and channels."""
    return str(config["axes"]).strip("SC")


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


def convert(
    model: CSBDeepModel,
    folder: Path,
    percentiles: tuple[float, float] = (2.0, 99.8),
    factor: float | None = None,
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
    factor
        Stretching along Z, for the classes of `FACTOR`.

    Raises
    ------
    OptionError
        If a factor is missing, or goes to a model that does not stretch, or there are
        no such percentiles.
    """
    low, high = percentiles
    if not 0 <= low < high <= 100:
        msg = (
            f"expected percentiles that rise between 0 and 100, found {low:g},{high:g}"
        )
        raise OptionError(msg)
    form = model.network.form
    spec = describe.describe(
        form,
        name=model.name,
        description=f"CSBDeep model {model.name}, imported from its Keras weights.",
        percentiles=percentiles,
        resample=_resample(model.kind, factor),
    )
    rng = np.random.default_rng(0)
    shape = {"yx": (256, 256), "zyx": (32, 64, 64)}[form.space]
    if form.whole:
        shape = (describe.WHOLE, 128, 128)
    image = np.stack(
        [Camera().expose(filaments(shape, rng), rng) for _ in range(form.channels_in)]
    )
    facts = card.Facts(
        origin="unknown",
        data="A CSBDeep model does not record what it was trained on.",
        licence="unknown",
        limits=("Use it only on images like those it was trained on.",),
        training={
            "imported from": f"CSBDeep, {model.kind}",
            "loss": model.config.get("train_loss"),
        },
    )

    def fill(restorer: Restorer) -> export.Contents:
        text = card.card(model.name, restorer.spec, facts, {})
        return export.Contents(Sample(image), text, {"origin": "imported"})

    return export.export(model.network, spec, fill, folder)


def _resample(kind: str, factor: float | None) -> Resample | None:
    if (factor is not None) != (kind in FACTOR):
        need = "needs a" if kind in FACTOR else "has no"
        msg = f"a model of class {kind} {need} --factor (of stretching along Z)"
        raise OptionError(msg)
    if factor is None:
        return None
    if not 1 <= factor < float("inf"):
        msg = f"expected a --factor of 1 or more, found {factor:g}"
        raise OptionError(msg)
    if kind == "UpsamplingCARE":  # zooms integers in their own type
        return Resample("z", factor, "before", round=True)
    return Resample("z", factor, "after", cubic=True)
