"""Own data: the line from two folders of images to a package."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from care_runtime import store
from care_runtime.errors import OptionError, TrainingError
from care_runtime.package import sha256
from care_training import baselines, card, describe, export, folders, pairs
from care_training.fit import About, Compute, fit, network, package
from care_training.noise import neighbour_correlation
from care_training.train import check_device
from care_training.unet import UNetConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from care_runtime.package import Package
    from care_training.evaluate import Evaluation
    from care_training.folders import Shift
    from care_training.pairs import Pair, Split
    from care_training.recipe import Recipe
    from care_training.train import Progress

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+\-() ]{0,63}")
"""What any file system accepts."""

INDEPENDENT = 0.05
"""Correlation of neighbouring noise up to which it may be drawn anew."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for.

    Parameters
    ----------
    low, high
        Folders of images of low and high quality, paired by name.
    axes
        Of every image, letters of STCZYX; with Z, the network is 3-D.
    name
        Of the model.
    out
        Folder for the package (in a folder of that name) and the checkpoint.
    recipe
        How to train.
    compute
        Where to train.
    init
        Model to start from, or None for a new one.
    architecture
        Values of `UNetConfig` other than the paper's, such as ``depth``.
    """

    low: Path
    high: Path
    axes: str
    name: str
    out: Path
    recipe: Recipe
    compute: Compute
    init: str | None = None
    architecture: Mapping[str, int] = field(default_factory=dict)

    @property
    def dims(self) -> int:
        """Space dimensions of the network."""
        return 3 if "Z" in self.axes.upper() else 2


@dataclass(frozen=True, slots=True)
class Prepared:
    """Images that passed all checks.

    Parameters
    ----------
    split
        Pairs to train on, and pairs held back.
    shifts
        Of the two images of each pair against each other.
    recipe
        With a patch that fits every image.
    config
        Architecture of the network.
    init
        Package to start from.
    """

    split: Split
    shifts: Sequence[Shift]
    recipe: Recipe
    config: UNetConfig
    init: Package | None = None


def prepare(request: Request) -> Prepared:
    """Read and check everything, before hours are spent.

    Raises
    ------
    FileError, TrainingError
        With the file that is wrong.
    """
    if not NAME.fullmatch(request.name):
        msg = (
            "expected a name of 1 to 64 letters, digits, spaces and _+-() that begins "
            f"with a letter or digit, found {request.name!r}"
        )
        raise OptionError(msg)
    export.require_place(request.out / request.name)
    check_device(request.compute.device)
    folders.check_disk(request.out)
    found = folders.read(folders.find(request.low, request.high), request.axes)
    init = store.locate(request.init) if request.init else None
    config = _config(request, found, init)
    recipe = request.recipe.for_dims(request.dims)
    recipe = replace(recipe, patch=_patch(recipe.patch, found, config.multiple))
    if recipe.fresh_noise:
        _check_noise(found)
    split = pairs.split(found, patch=recipe.patch, seed=recipe.seed)
    return Prepared(split, folders.shifts(found), recipe, config, init)


def train(
    request: Request,
    prepared: Prepared,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[Package, Evaluation]:
    """Train, score on the images held back, and export."""
    split, recipe, init = prepared.split, prepared.recipe, prepared.init
    made = network(prepared.config, recipe.seed, init)
    checkpoint = request.out / f"{request.name}.checkpoint.pt"
    origin = sha256(init.onnx) if init else ""
    trained = fit(
        made, split, recipe, request.compute, checkpoint, progress, origin=origin
    )
    if init:
        trained.facts["started from"] = f"{init.spec.name} (sha256 {origin})"
    spec = describe.describe(
        made.form,
        # bioimage.io wants five letters.
        name=request.name if len(request.name) >= 5 else f"{request.name} model",
        description=f"Restores images like those in {request.low.name}.",
    )
    facts = card.Facts(
        origin="the user's own",
        data=f"{len(split.training)} image pairs of the user's folders "
        f"{request.low.name!r} and {request.high.name!r}.",
        licence="the user's own",
        limits=("It was trained for one microscope, sample and light dose.",),
    )
    about = About(request.name, facts, own_sample(split), (baselines.GAUSSIAN,))
    return package(trained, spec, about, split, request.out / request.name)


def own_sample(split: Split) -> export.Sample:
    """Take the middle of a held-back image, of a size that a package can carry."""
    pair = split.validation[0]
    space = pair.low.shape[1:]
    most = (64, 256, 256)[3 - len(space) :]
    starts = [max(0, (n - m) // 2) for n, m in zip(space, most, strict=True)]
    crop = tuple(slice(s, s + m) for s, m in zip(starts, most, strict=True))
    low, high = (image[(slice(None), *crop)] for image in (pair.low, pair.high))
    return export.Sample(np.ascontiguousarray(low), np.ascontiguousarray(high))


def _config(
    request: Request, found: Sequence[Pair], init: Package | None
) -> UNetConfig:
    """Decide the architecture: that of the model to start from, or as asked for."""
    needed = {
        "dims": request.dims,
        "channels_in": found[0].low.shape[0],
        "channels_out": found[0].high.shape[0],
    }
    if init is None:
        return UNetConfig(**needed, **request.architecture)
    if request.architecture:
        names = ", ".join(f"--{name}" for name in request.architecture)
        msg = f"{names} cannot change the network of --init: leave one of them out"
        raise OptionError(msg)
    config = UNetConfig.from_dict(export.read_config(init))
    wrong = {
        k: getattr(config, k) for k, v in needed.items() if getattr(config, k) != v
    }
    if wrong:
        msg = (
            f"the images need a network of {needed}, but that of --init has {wrong}: "
            "start from another model"
        )
        raise TrainingError(msg)
    return config


def _patch(
    wish: tuple[int, ...], found: Sequence[Pair], multiple: int
) -> tuple[int, ...]:
    """Shrink a patch to the smallest image, on the grid of the network."""
    smallest = np.min([pair.low.shape[1:] for pair in found], axis=0)
    if len(wish) != len(smallest) or any(p % multiple for p in wish):
        msg = (
            f"expected a patch of {len(smallest)} sizes on the grid of {multiple} "
            f"pixels, found {wish}"
        )
        raise TrainingError(msg)
    patch = tuple(
        min(p, int(n) // multiple * multiple)
        for p, n in zip(wish, smallest, strict=True)
    )
    if min(patch) < multiple:
        msg = (
            f"the smallest image measures {tuple(int(n) for n in smallest)} pixels, "
            f"but the network needs {multiple} along each axis: leave it out"
        )
        raise TrainingError(msg)
    return patch


def _check_noise(found: Sequence[Pair]) -> None:
    """Refuse to draw noise anew where it is not that of single pixels."""
    if len(found[0].low) != len(found[0].high):
        msg = (
            f"noise cannot be drawn anew for {len(found[0].low)} channels that become "
            f"{len(found[0].high)}: train without --fresh-noise"
        )
        raise TrainingError(msg)
    worst = max(
        (abs(neighbour_correlation(low, high)), pair.name)
        for pair in found
        for low, high in zip(pair.low, pair.high, strict=True)
    )
    if worst[0] > INDEPENDENT:
        msg = (
            f"the noise of neighbouring pixels in {worst[1]} correlates by "
            f"{worst[0]:.2f}, more than {INDEPENDENT:g}: train without --fresh-noise"
        )
        raise TrainingError(msg)
