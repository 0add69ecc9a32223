"""Assessment: a model scored on image pairs that it never saw."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import care_runtime
from care_runtime import store
from care_runtime.contract import supported
from care_runtime.errors import OptionError, TrainingError
from care_runtime.files import written
from care_training import (
    describe,
    evaluate,
    export,
    fit,
    folders,
    networks,
    plot,
    sample,
    spacing,
)
from care_training.calibration import Calibration, foreground
from care_training.pairs import require_contrast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from care_runtime.package import Package
    from care_runtime.restore import Restorer
    from care_training.evaluate import Evaluation
    from care_training.pairs import Pair


REPLACED = {"network", "recalibration", "calibration error before"}
"""Facts of a model that are no longer true when it was calibrated anew."""

CALIBRATION = re.compile(r"^## (?:Calib|Recalib)ration\n.*?(?=^#|\Z)", re.M | re.S)
"""Sections of a card about it."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What was found.

    Parameters
    ----------
    scores
        Of the model, its input and a baseline.
    calibrations
        By name; none where the model predicts no distribution.
    recalibrated
        Package with the fitted factor, if one was asked for.
    interpolated
        Whether planes of the truth were, to be compared; see `spacing`.
    """

    scores: Evaluation
    calibrations: dict[str, Calibration]
    recalibrated: Package | None = None
    interpolated: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a report."""
        return {
            "images": list(self.scores.images),
            "planes of the truth were interpolated": self.interpolated,
            "scores": self.scores.to_dict(),
            "calibration": {k: c.to_dict() for k, c in self.calibrations.items()},
        }


def assess(
    model: str, low: Path, high: Path, axes: str, out: Path, *, recalibrate: bool
) -> Assessment:
    """Score a model on pairs, and draw accuracy against confidence.

    Writes ``report.json`` and, of a probabilistic model, ``calibration.png``.

    Parameters
    ----------
    model
        Name or package.
    low, high
        Folders of images, paired by name.
    axes
        Of the images; of the low ones where a model projects.
    out
        Folder for what is written.
    recalibrate
        Fit one factor of all scales to the pairs of every second field, measure before
        and after on the others, and write a package with that factor.

    Raises
    ------
    OptionError
        If the model predicts no distribution to recalibrate.
    TrainingError
        If a truth has no contrast, or there are fewer than two fields to recalibrate.
    """
    found = store.locate(model)
    care, letters = supported(found.spec), found.spec.outputs[0].letters
    pairs = folders.read(
        folders.find(low, high),
        axes,
        projected="Z" in found.spec.input.letters and "Z" not in letters,
        factor=care.resample.factor if care.resample else 1.0,
    )
    moved = False
    if care.resample:
        pairs, moved = spacing.registered(pairs, care.resample.factor)
    fields = sorted({pair.field or pair.name for pair in pairs})
    if recalibrate and len(fields) < 2:
        msg = (
            f"expected pairs of two or more fields to recalibrate, found "
            f"{len(fields)}: half of them fit the factor, and the others judge it"
        )
        raise TrainingError(msg)
    require_contrast(pairs)
    if recalibrate and not {"scale", "member_scale"} & set(care.outputs):
        msg = (
            "expected a model that predicts a distribution to recalibrate, found "
            f"{found.spec.name!r}: train one with --probabilistic"
        )
        raise OptionError(msg)
    restorer = care_runtime.load(found, device="cpu")
    scores = evaluate.evaluate(restorer, pairs)
    curves, package = {}, None
    target = care.training.get("target", "percentiles")
    if "scale" in care.outputs or "member_scale" in care.outputs or recalibrate:
        first = set(fields[::2]) if recalibrate else set()
        fitted = [pair for pair in pairs if (pair.field or pair.name) in first]
        judged = [pair for pair in pairs if (pair.field or pair.name) not in first]
        pixels = foreground(restorer, judged, target=target)
        curves["as it is"] = pixels.calibration()
        if recalibrate:
            factor = round(foreground(restorer, fitted, target=target).factor(), 4)
            curves[f"scales times {factor:g}"] = pixels.calibration(factor)
            package = _rescaled(found, factor, curves, fitted, out)
    assessment = Assessment(scores, curves, package, moved)
    with written(out / "report.json") as partial:
        partial.write_text(json.dumps(assessment.to_dict(), indent=1), "utf-8")
    if curves:
        plot.calibration(out / "calibration.png", curves)
    return assessment


def _rescaled(
    old: Package,
    factor: float,
    curves: dict[str, Calibration],
    fitted: Sequence[Pair],
    out: Path,
) -> Package:
    """Export a model again, with all its scales taken times a factor."""
    network = fit.network(networks.read(export.read_config(old)), 0, old)
    network = networks.rescaled(network, factor)
    total = networks.unet_config(network.config).recalibration
    care = supported(old.spec)
    spec = describe.describe(
        network.form,
        name=old.spec.name,
        description=old.spec.description,
        percentiles=care.normalization.percentiles,
        resample=care.resample,
    )
    kept = ("authors", "license", "cite", "tags", "training_data", "git_repo")
    about = {key: old.spec.about[key] for key in kept if key in old.spec.about}
    spec = replace(spec, about={**spec.about, **about})
    before, after = (curve.error for curve in curves.values())
    facts = {
        **{k: v for k, v in care.training.items() if k not in REPLACED},
        "recalibration": f"scales times {total:g}, fitted on {len(fitted)} images",
        "calibration": {"error before": round(before, 4), "error": round(after, 4)},
    }
    text = CALIBRATION.sub("", (old.folder / "README.md").read_text("utf-8")).rstrip()
    text += (
        "\n\n## Recalibration\n\n![Accuracy against confidence](calibration.png)\n\n"
        f"All scales are taken times {total:g}, which is {factor:g} times what they "
        f"were, fitted on {len(fitted)} images; on others the calibration error went "
        f"from {before:.3f} to {after:.3f}.\n"
    )

    def fill(_: Restorer) -> export.Contents:
        return export.Contents(sample.read(old), text, facts, curves)

    return export.export(network, spec, fill, out / old.folder.name)
