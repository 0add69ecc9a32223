"""Own data: the line from a user's images to a package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_training import baselines, card, describe
from care_training.fit import Trained, fit, network
from care_training.product import About, Judges, package, recalibrated, sharpened
from care_training.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from care_runtime.package import Package
    from care_runtime.spec import Spec
    from care_training.evaluate import Evaluation
    from care_training.pairs import Split
    from care_training.request import Prepared, Request
    from care_training.train import Progress


FITTED = (
    "Its scales were fitted on the images that the calibration error is measured on: "
    "`care-train evaluate` measures it on others."
)
"""A limit of models that were recalibrated."""


def train(
    request: Request,
    prepared: Prepared,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[Package, Evaluation]:
    """Train, score on the images held back, and export."""
    split, recipe, init = prepared.split, prepared.recipe, prepared.init
    made = network(prepared.config, recipe.seed, init)
    checkpoint = request.out / f"{request.name}.checkpoint.pt"
    trained = fit(made, split, recipe, request.compute, checkpoint, progress, init=init)
    if request.recalibrate:
        trained = recalibrated(trained, split, _spec(request, trained))
    spec = _spec(request, trained)
    if recipe.sharper:
        trained = sharpened(trained, split, spec)
    about = About(request.name, _about(request, prepared), own_sample(split))
    judges = Judges({"": split.validation}, baselines=(baselines.GAUSSIAN,))
    done, scores = package(trained, spec, about, judges, request.out / request.name)
    return done, scores[""]


def _spec(request: Request, trained: Trained) -> Spec:
    return describe.describe(
        trained.network.form,
        # bioimage.io wants five letters.
        name=request.name if len(request.name) >= 5 else f"{request.name} model",
        description=f"Restores images like those in {request.low.name}.",
        resample=request.kind.resample,
    )


def _about(request: Request, prepared: Prepared) -> card.Facts:
    count, low = len(prepared.split.training), request.low.name
    degradation = prepared.degradation
    if degradation is not None:
        origin = "the user's own, semi-synthetic"
        source = _source(request.blur, degradation.blur)
        data = (
            f"{count} volumes of {low!r}: lateral planes, blurred along X (Gaussian, "
            f"sigma {degradation.sigma:.2f} pixels, {source}) and subsampled by "
            f"{degradation.factor:g}. Scores are of such planes, not of restored Z."
        )
    else:
        assert request.high is not None
        origin = "the user's own"
        data = (
            f"{count} image pairs of the user's folders {low!r} and "
            f"{request.high.name!r}."
        )
        if prepared.interpolated:
            data += (
                " Planes of the targets were interpolated to where the input is "
                "stretched to."
            )
    return card.Facts(
        origin=origin,
        data=data,
        licence="the user's own",
        limits=(
            "It was trained for one microscope, sample and light dose.",
            *((FITTED,) if request.recalibrate else ()),
        ),
    )


def _source(asked: float | None, used: float | None) -> str:
    if asked is not None:
        return "as asked for"
    if used is not None:
        return "measured on them"
    return "assumed, for planes that just touch, as it could not be measured"


def own_sample(split: Split) -> Sample:
    """Take the middle of a held-back image, of a size that a package can carry."""
    pair = split.validation[0]
    if pair.low.shape[-1] != pair.high.shape[-1]:  # degraded planes: show real ones
        return Sample(_middle(pair.high))
    if pair.low.ndim > pair.high.ndim:
        return Sample(_middle(pair.low, pair.low.shape[1]), _middle(pair.high))
    ratio = pair.high.shape[1] / pair.low.shape[1] if pair.low.ndim == 4 else 1.0
    if ratio != 1:
        return Sample(_middle(pair.low, pair.low.shape[1]))
    return Sample(_middle(pair.low), _middle(pair.high))


def _middle(image: NDArray[Any], planes: int = 64) -> NDArray[Any]:
    """Crop the middle of an image (C, [Z,] Y, X)."""
    space = image.shape[1:]
    most = (planes, 256, 256)[3 - len(space) :]
    starts = [max(0, (n - m) // 2) for n, m in zip(space, most, strict=True)]
    crop = tuple(slice(s, s + m) for s, m in zip(starts, most, strict=True))
    return np.ascontiguousarray(image[(slice(None), *crop)])
