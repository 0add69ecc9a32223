"""Gather: every test image restored once, and what a report keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from care_training import calibration, evaluate
from care_training.evaluate import INPUT, NETWORK
from care_training.report import contrast, errors, resolved, spectra, trust
from care_training.report.chart import TRUTH
from care_training.report.view import views

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.restore import Restorer
    from care_training.calibration import Calibration, Foreground
    from care_training.evaluate import Evaluation, Judgement
    from care_training.metrics.spectrum import Spectra
    from care_training.pairs import Pair
    from care_training.product import Judges
    from care_training.report.errors import Spot
    from care_training.report.resolved import Resolved
    from care_training.report.trust import Relation
    from care_training.report.view import View


@dataclass(frozen=True, slots=True)
class Seen:
    """What is kept of one test image: crops, and how far it can be trusted.

    Parameters
    ----------
    condition, name
        Of the image.
    psnr
        Of the network, the mean over channels.
    views
        What is shown of it; the first is the one that matters most.
    crops
        By the name of a view and a method, or ``"truth"``: (C, height, width), in the
        units of the normalized truth.
    maps
        Other outputs of the network in the first view, by id: (C, height, width).
    relations
        How outputs that tell of errors go with them, by id.
    resolved
        Resolution-scaled errors by method; none where nothing is sharpened.
    """

    condition: str
    name: str
    psnr: float
    views: tuple[View, ...]
    crops: Mapping[str, Mapping[str, NDArray[np.float32]]]
    maps: Mapping[str, NDArray[np.float32]]
    relations: Mapping[str, Relation]
    resolved: Mapping[str, Resolved] = field(default_factory=dict)


@dataclass(slots=True)
class Gathered:
    """What was found on all test images; it grows image by image.

    Parameters
    ----------
    evaluations
        Scores by condition.
    seen
        What was kept of every image.
    spots
        The strongest errors: what was invented, and what was lost.
    spectra
        By method, one of each image; empty where nothing is made isotropic.
    calibrations
        By condition; empty where no distribution is predicted.
    sharpens
        Whether resolution-scaled errors are measured.
    isotropic
        Whether stacks are made isotropic, so that their axial sections matter most.
    """

    isotropic: bool = False
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    spots: dict[str, list[Spot]] = field(
        default_factory=lambda: {kind: [] for kind in errors.KINDS}
    )
    spectra: dict[str, list[Spectra]] = field(default_factory=dict)
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    sharpens: bool = False


def gather(
    restorer: Restorer,
    judges: Judges,
    *,
    target: str,
    sharpens: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Gathered:
    """Restore every test image once, and keep scores, crops, errors and spectra.

    One image at a time is held, as every method shows it.

    Parameters
    ----------
    restorer
        Of the model, with all its outputs.
    judges
        Test images, baselines and measures.
    target
        How the truth was normalized in training, for the calibration.
    sharpens
        Whether to measure resolution-scaled errors.
    progress
        Told what is done next.
    """
    tell = progress or (lambda _: None)
    care = restorer.spec.care
    assert care is not None
    found = Gathered(care.resample is not None, sharpens=sharpens)
    for condition, pairs in judges.tests.items():
        tuning = judges.tuned_on(condition)
        tell(f"{condition} tuning {len(judges.baselines)} baselines".strip())
        ways = evaluate.rivals(judges.baselines, tuning or pairs)
        rows, pixels = [], []
        for pair in pairs:
            tell(pair.name)
            images = {name: way(pair) for name, way in ways.items()}
            outputs = evaluate.answers(restorer, pair).outputs
            images[NETWORK] = outputs["mean"]
            row = {
                name: evaluate.judge(image, pair, judges.measures)
                for name, image in images.items()
            }
            rows.append(row)
            _keep(found, condition, pair, images, outputs, row)
            if {"scale", "member_scale"} & set(outputs):
                pixels.append(
                    calibration.predicted(restorer.spec, pair, outputs, target=target)
                )
        found.evaluations[condition] = evaluate.collected(pairs, rows, tuning)
        _calibrate(found, condition, pixels)
    return found


def _calibrate(found: Gathered, condition: str, pixels: Sequence[Foreground]) -> None:
    if pixels:
        together = calibration.together(pixels)
        found.calibrations[condition or "test images"] = together.calibration()


def _keep(
    found: Gathered,
    condition: str,
    pair: Pair,
    images: Mapping[str, NDArray[Any]],
    outputs: Mapping[str, NDArray[Any]],
    row: Mapping[str, Judgement],
) -> None:
    """Keep what is shown of one image, and forget the rest."""
    truth = contrast.reference(pair.high)
    chosen = views(pair.high)
    if found.isotropic:
        chosen = chosen[::-1]
    crops: dict[str, dict[str, NDArray[np.float32]]] = {v.name: {} for v in chosen}
    restored = contrast.fitted(images[NETWORK], truth)
    for method, image in {**images, TRUTH: truth}.items():
        if method == TRUTH:
            scaled = truth.astype(np.float32)
        elif method == NETWORK:
            scaled = restored
        else:
            scale = contrast.shown if method == INPUT else contrast.fitted
            scaled = scale(image, truth)
        if method == INPUT:
            seen = scaled
        for view in chosen:
            crops[view.name][method] = view.of(scaled)
        if found.isotropic:
            found.spectra.setdefault(method, []).append(spectra.measured(scaled))
    off = np.abs(restored - truth)
    told = {k: v for k, v in outputs.items() if k in trust.TELLING}
    maps = {
        name: chosen[0].of(image)
        for name, image in outputs.items()
        if name in trust.TELLING or name == "height"
    }
    scores = [s.psnr for s in row[NETWORK].scores]
    found.seen.append(
        Seen(
            condition,
            pair.name,
            float(np.mean(scores)),
            chosen,
            crops,
            maps,
            {name: trust.relation(image, off) for name, image in told.items()},
            resolved.resolved(images, pair.high, chosen[0])
            if found.sharpens and len(pair.high) == 1
            else {},
        )
    )
    spots = errors.spots(pair.name, seen, restored, truth, axial=found.isotropic)
    for kind, more in spots.items():
        found.spots[kind] = errors.strongest([*found.spots[kind], *more])
