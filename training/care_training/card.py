"""Card: what a person must know about a model before trusting it, as markdown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from care_runtime.care import CareConfig
    from care_runtime.spec import Spec
    from care_training.calibration import Calibration
    from care_training.evaluate import Evaluation

INTENSITY = (
    "Do not measure intensities in restored images: a network shows what is likely, "
    "not what was counted (the paper warns of this). Structures unlike those it was "
    "trained on may be lost or invented; compare with the raw image before you "
    "conclude."
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the card says beyond the spec.

    Parameters
    ----------
    origin
        ``"real"``, ``"semi-synthetic"`` or ``"synthetic"``.
    data
        What the model was trained on, a sentence or two.
    licence
        Of that data.
    limits
        Where the model must not be used, one sentence each.
    training
        Steps, batch, seed, device, duration and the like, by name.
    """

    origin: str
    data: str
    licence: str
    limits: Sequence[str] = ()
    training: Mapping[str, Any] = field(default_factory=dict)


def card(
    name: str,
    spec: Spec,
    facts: Facts,
    evaluations: Mapping[str, Evaluation],
    calibration: Calibration | None = None,
) -> str:
    """Write the README of a package.

    Parameters
    ----------
    name
        What the model is called on the command line.
    spec
        Its description.
    facts
        Data and training.
    evaluations
        Scores on images held back, by the condition they were taken under; none if
        nothing was held back.
    calibration
        Measured on the same images; None if no distribution is predicted.
    """
    trained = "\n".join(f"- {key}: {value}" for key, value in facts.training.items())
    limits = "\n".join(f"- {limit}" for limit in (*facts.limits, INTENSITY))
    return f"""# {name}

Trained on **{facts.origin}** data. {spec.description}

## Use

    care-run restore image.tif -m {name} -o restored.tif

{_input(spec)}
{others(spec)}
## Data

{facts.data}

Licence of the data: {facts.licence}

## Training

{trained}

# Validation

{_scores(evaluations)}
{_calibration(calibration)}
## Limits

{limits}
"""


def _input(spec: Spec) -> str:
    care = spec.care
    letters = spec.input.letters.replace("B", "")
    lines = f"The network reads {letters} with {spec.input.channels} channel(s). "
    return lines + (_normalization(care) if care is not None else "")


def _normalization(care: CareConfig) -> str:
    norm = care.normalization
    if norm.percentiles is None:
        return "Images are not normalized."
    low, high = norm.percentiles
    undone = (
        "`care-run` undoes this, so that the restoration is in the image's own grey "
        "values; other bioimage.io tools cannot and return it normalized."
        if norm.invert
        else "This is not undone: the restoration is in normalized units."
    )
    return (
        f"Images are normalized between their percentiles {low:g} and {high:g} (over "
        f"{norm.axes}, each channel by itself). {undone}"
    )


def others(spec: Spec) -> str:
    """Say in what other bioimage.io tools differ from `care-run`, as a section.

    Empty where they do not: the format has words for all that the model needs.
    """
    lines = [f"- {line}\n" for line in _differences(spec)]
    if not lines:
        return ""
    return f"""
## In other tools

Any bioimage.io tool runs the same network. From `care-run` it differs in this:

{"".join(lines)}"""


def _differences(spec: Spec) -> Iterator[str]:
    """Go through what format 0.5 cannot say, or bioimageio.core does otherwise."""
    care = spec.care
    if care is None:
        return
    undone = {"affine": "{} * (high - low) + low", "scale": "{} * (high - low)"}
    if care.normalization.invert and care.normalization.percentiles:
        words = [
            f"`{undone[output.undo].format(name)}`"
            for name, output in care.outputs.items()
            if output.undo in undone
        ]
        yield (
            f"Grey values: its outputs stay normalized. `care-run` gives "
            f"{', '.join(words)}, where low and high are the image's percentiles."
        )
    halo = max((axis.halo for axis in spec.outputs[0].axes), default=0)
    if halo:
        yield (
            f"Borders: the prediction of bioimageio.core mirrors the image by {halo} "
            "pixels at its borders, and measures percentiles of the larger image. "
            "`care-run` takes the image as it is."
        )
    for axis in spec.input.axes:
        if axis.kind == "space" and isinstance(axis.size, int):
            yield (
                f"{axis.id.upper()}: it takes images of exactly {axis.size} pixels "
                f"along {axis.id.upper()}. `care-run` takes any number."
            )
    if care.resample is not None:
        yield (
            f"{care.resample.axis.upper()}: it is not stretched. `care-run` stretches "
            f"it, by {care.resample.factor:g} unless told otherwise."
        )


def _scores(evaluations: Mapping[str, Evaluation]) -> str:
    if not evaluations:
        return "No image with ground truth was held back, so nothing was measured."
    tables = [
        (f"## {condition}\n\n" if condition else "") + _table(scores)
        for condition, scores in evaluations.items()
    ]
    tuned = [name for scores in evaluations.values() for name in scores.tuned_on]
    strengths = (
        f"was chosen on other images ({', '.join(dict.fromkeys(tuned))})"
        if tuned
        else "scores best on these very images"
    )
    compared = any(len(scores.each) > 2 for scores in evaluations.values())
    told = f" The strength of each baseline (in brackets)\n{strengths}."
    return (
        "\n\n".join(tables)
        + f"""

Truth is normalized between its percentiles 0.1 and 99.9 and every image is fitted to it
by least squares, as in the paper.{told if compared else ""}"""
    )


def _table(evaluation: Evaluation) -> str:
    names, count = ", ".join(evaluation.images), len(evaluation.images)
    return f"""{evaluation.table()}

Means over {count} images that training never saw ({names}); over them, the PSNR of the
network has a standard deviation of {evaluation.spread:.2f} dB."""


def _calibration(calibration: Calibration | None) -> str:
    if calibration is None:
        return ""
    return f"""
## Calibration

![Accuracy against confidence](calibration.png)

Expected calibration error on the same images: **{calibration.error:.3f}** (mean over
{len(calibration.confidence)} confidence levels, {calibration.pixels} foreground pixels,
those above Otsu's threshold of the smoothed truth). 0 means that the truth lies in the
predicted intervals exactly as often as they say.
"""
