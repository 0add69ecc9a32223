"""Words: what a report says about its figures, and no more than they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from care_training.measure import NOISE_FREE
from care_training.report.errors import CROP, PLANES, WINDOW
from care_training.report.scores import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_training.evaluate import Evaluation
    from care_training.report.about import Model
    from care_training.report.gather import Gathered
    from care_training.report.trust import Relation

ORIGINS = {
    "real": "real recordings",
    "semi-synthetic": (
        "semi-synthetic data: recorded or simulated images, degraded by a program"
    ),
    "synthetic": "synthetic data: images that were drawn by a program",
}

PANELS = (
    "One image of each condition: the one whose PSNR is the median, so none of the "
    "best. The window is the one where the truth shows the most; one pixel of the "
    "picture is one of the image. Black and white are the truth's percentiles 0.1 and "
    "99.9 in all: restorations are scaled to the truth as for the scores, the input "
    "such that its signal, without the noise, has the truth's contrast."
)

RESOLVED = (
    "Every restoration was blurred and scaled to the input such that the squared "
    "distance is the least (SQUIRREL; Fig. 4d): what is left are structures that were "
    "made up, lost or changed in brightness, and the noise and background of the "
    "input, which the truth does not have either. So the error of the truth is the one "
    "to compare with: what is closer to the input has kept some of its noise. Errors "
    "are in standard deviations of the input, RSE is their root mean square, RSP the "
    "correlation. The table shows mean ± standard deviation over all test images."
)


def origin(model: Model) -> str:
    """Say first what kind of data the model knows."""
    data = ORIGINS.get(model.origin, f"data of unknown origin ({model.origin})")
    text = f"Trained on {data}."
    if model.origin != "real":
        text += " It has not been shown that it restores real recordings as well."
    if model.training.get("owed"):
        text += f" Not fully trained: {model.training['owed']} is owed."
    return text


def _count(found: Gathered) -> str:
    counts = [(c, len(e.images)) for c, e in found.evaluations.items()]
    if len(counts) == 1 and not counts[0][0]:
        return _images(counts[0][1])
    return ", ".join(f"{_images(n)} of {c}" for c, n in counts)


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


def boxes(found: Gathered, seed: str) -> str:
    """Explain box plots."""
    one = next(iter(found.evaluations.values()))
    channels = len(next(iter(one.each.values()))) // len(one.images)
    each = "image" if channels == 1 else "image and channel"
    if channels > 1 and (whole := list(next(iter(one.measured.values()), {}))):
        each += f" (of {listed(whole, 3)}, one image)"
    text = (
        f"One dot is one {each}: {_count(found)}; {seed}. Boxes show the interquartile "
        "range, thick lines the median, and whiskers the last values within 1.5 times "
        "that range. Numbers are of whole images, fitted to the truth by a scale and "
        "an offset; the truth's range is that of its percentiles 0.1 to 99.9."
    )
    if NOISE_FREE in next(iter(one.measured.values()), {}):
        text += (
            f" The {NOISE_FREE} are PSNR against the brightness behind the truth, "
            "which is one exposure; only a simulation knows it."
        )
    if min(len(e.images) for e in found.evaluations.values()) < 5:
        text += " So few images show a tendency, not a distribution."
    return text


def tuning(found: Evaluation) -> str:
    """Say what the baselines were tuned on, and what the table shows."""
    each = len(next(iter(found.each.values()))) // len(found.images)
    what = _images(len(found.images)) + (f" of {each} channels" if each > 1 else "")
    spread = "Mean ± standard deviation over" if len(found.images) > 1 else "Scores of"
    text = f"{spread} {what}. "
    if len(found.each) < 3:
        return text + "There was no baseline."
    if found.tuned_on and set(found.tuned_on) != set(found.images):
        return text + (
            f"The strengths of baselines, in brackets, were chosen on "
            f"{_images(len(found.tuned_on))} not shown here "
            f"({listed(found.tuned_on, 3)})."
        )
    return text + (
        "The strengths of baselines, in brackets, were chosen on these very images, in "
        "their favour."
    )


def profiles(found: Gathered) -> str:
    """Explain line profiles."""
    where = (
        "Values on the line parallel to Z"
        if found.isotropic
        else "Values on the straight line"
    )
    return (
        f"{where} along which the truth rises and falls the most, in the first view of "
        "the images above; it is dashed in the small pictures, its left or upper end "
        "first. A peak of the network without one of the truth was made up."
    )


def spectra(found: Gathered) -> str:
    """Explain spectra."""
    count = sum(len(e.images) for e in found.evaluations.values())
    return (
        f"Mean power of {_images(count)} within 22.5 degrees of an axis, every image "
        "scaled to the truth as in the pictures. Where the axial spectrum of the "
        "network follows that of the truth, missing detail was recovered; where it is "
        "higher, detail was added that is not there."
    )


def errors(found: Gathered) -> str:
    """Explain the strongest errors."""
    spots = [spot for kind in found.spots.values() for spot in kind]
    flat = not spots or len(spots[0].place) == 2 or found.isotropic
    sizes = f"{WINDOW} pixels along each axis"
    if not flat:
        sizes = f"{PLANES} planes of {WINDOW} x {WINDOW} pixels"
    view = "axial sections" if found.isotropic else "planes"
    return (
        f"The program looked through all test images ({_count(found)}) for the windows "
        f"({sizes}) in which restored minus truth is the greatest (invented), and "
        "truth minus restored (lost). These are the worst of all, shown as "
        f"{view} of {CROP} pixels with the window framed. Errors are means over the "
        "window, in units of the truth's range, and places are in pixels from 0."
    )


def trust(found: Gathered, together: Mapping[str, Relation]) -> str:
    """Explain calibration and doubt."""
    error = ", ".join(
        f"{name}: {curve.error:.3f}" for name, curve in found.calibrations.items()
    )
    text = (
        "First, how often the truth lies in the interval that should hold it with some "
        "confidence, over the foreground of the test images; the mean distance from "
        f"the diagonal is the calibration error ({error}). "
    )
    for name, relation in together.items():
        text += (
            f"Over the pixels of an image, {name} and the absolute error correlate by "
            f"{relation.pearson:.2f} (by rank {relation.spearman:.2f}). "
        )
    return text + (
        "Second, the mean absolute error of each tenth of the pixels, in the order of "
        "what the network says. Both are means over all images; the maps below are in "
        "units of the truth's range for errors, and in the network's own for the rest."
    )
