"""Calibration: whether a model is right as often as it says it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from scipy.optimize import minimize_scalar
from skimage.filters import threshold_otsu

from care_runtime.contract import supported
from care_runtime.errors import TrainingError
from care_runtime.laplace import Mixture
from care_runtime.normalize import Affine
from care_runtime.percentiles import percentiles
from care_runtime.readout import mixture
from care_runtime.resample import gather
from care_training.evaluate import answers
from care_training.pairs import linear_fit, lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from care_runtime.restore import Restorer
    from care_runtime.spec import Spec
    from care_training.pairs import Pair

LEVELS = (np.arange(20) + 0.5) / 20
"""Confidences at which the accuracy is measured."""

SMOOTH = 2.0
"""Standard deviation in pixels by which truth is smoothed, to find what is bright."""

PIXELS = 200_000
"""Pixels to which a factor is fitted, at most."""

FACTORS = np.geomspace(1e-3, 1e3, 25)
"""Factors of recalibration between which the best one is looked for."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Accuracy against confidence (Methods, "Reliability measures").

    Parameters
    ----------
    confidence
        Probabilities with which the truth should lie in the central intervals.
    accuracy
        Fractions of the pixels in which it does.
    pixels
        How many were looked at.
    """

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    pixels: int

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of the two, 0 at best."""
        distance = np.subtract(self.accuracy, self.confidence)
        return float(np.abs(distance).mean())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `config.care` and reports."""
        return {
            "error": round(self.error, 4),
            "pixels": self.pixels,
            "confidence": [round(c, 3) for c in self.confidence],
            "accuracy": [round(a, 4) for a in self.accuracy],
        }


@dataclass(frozen=True, slots=True)
class Foreground:
    """Predictions and truth of the foreground pixels of some images, normalized.

    Parameters
    ----------
    means, scales
        Of the members, (M, N).
    truth
        Shape (N,).
    """

    means: NDArray[np.float32]
    scales: NDArray[np.float32]
    truth: NDArray[np.float32]

    def calibration(self, factor: float = 1.0) -> Calibration:
        """Measure the calibration, with all scales taken times a factor."""
        scales = self.scales * np.float32(factor)
        u = Mixture(self.means, scales).cdf(self.truth)
        # The central interval of confidence c reaches from (1 - c)/2 to (1 + c)/2.
        needed = np.abs(2 * u - 1)
        accuracy = [float(np.mean(needed <= level)) for level in LEVELS]
        return Calibration(tuple(LEVELS.tolist()), tuple(accuracy), len(self.truth))

    def factor(self) -> float:
        """Find the factor of all scales with the least calibration error."""
        step = max(1, len(self.truth) // PIXELS)
        part = Foreground(
            self.means[:, ::step], self.scales[:, ::step], self.truth[::step]
        )

        def error(log: float) -> float:
            return part.calibration(float(np.exp(log))).error

        # The error is flat far from the best factor.
        logs = np.log(FACTORS)
        best = int(np.argmin([error(log) for log in logs]))
        around = logs[max(best - 1, 0)], logs[min(best + 1, len(logs) - 1)]
        options = {"xatol": 1e-3}
        found = minimize_scalar(error, bounds=around, method="bounded", options=options)
        return float(np.exp(found.x))


def foreground(restorer: Restorer, pairs: Iterable[Pair], *, target: str) -> Foreground:
    """Restore images, and gather what was predicted where there is something to see.

    Parameters
    ----------
    restorer
        Of a probabilistic model, with all its outputs.
    pairs
        Images that training never saw.
    target
        How the truth was normalized in training: ``"fitted"`` to the low image, or by
        ``"percentiles"`` of its own.

    Raises
    ------
    TrainingError
        If the model is not probabilistic.
    """
    outputs = {tensor.id for tensor in restorer.spec.outputs}
    if not {"scale", "member_scale"} & outputs:
        msg = (
            f"the model {restorer.spec.name!r} predicts no distribution, so that there "
            "is no calibration to measure: train with --probabilistic"
        )
        raise TrainingError(msg)
    return together(
        [
            predicted(
                restorer.spec, pair, answers(restorer, pair).outputs, target=target
            )
            for pair in pairs
        ]
    )


def together(parts: Sequence[Foreground]) -> Foreground:
    """Put the foreground pixels of several images together."""
    return Foreground(
        np.concatenate([part.means for part in parts], axis=-1),
        np.concatenate([part.scales for part in parts], axis=-1),
        np.concatenate([part.truth for part in parts]),
    )


def predicted(
    spec: Spec, pair: Pair, found: Mapping[str, NDArray[Any]], *, target: str
) -> Foreground:
    """Gather what was predicted for the foreground of one image, restored before.

    Parameters
    ----------
    spec
        Of the model.
    pair
        The image.
    found
        All outputs of the model, float32.
    target
        As for `foreground`.
    """
    care = supported(spec)
    norm, resample = care.normalization, care.resample
    first = resample is not None and resample.when == "before"
    q = None if pair.ready else norm.percentiles
    low = _affine(gather(pair.low, lines(pair)) if first else pair.low, q)
    if norm.invert:  # back to normalized units, in which the truth is known
        flat = low.plane(0) if pair.low.ndim > pair.high.ndim else low
        found = {
            name: _normalized(image, flat, care.outputs[name].undo)
            for name, image in found.items()
        }
    truth = _truth(pair, low, q, target)
    bright = np.stack([_bright(channel) for channel in truth])
    mixed = mixture(found)
    return Foreground(mixed.means[:, bright], mixed.scales[:, bright], truth[bright])


def _bright(channel: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark what is brighter than Otsu's threshold, in one channel of the truth.

    It is smoothed first: a truth that is noisy, as any exposure is, would else choose
    the very pixels whose noise makes them bright, which no prediction can foresee.
    """
    smooth = ndimage.gaussian_filter(channel, SMOOTH)
    found: NDArray[np.bool_] = smooth > threshold_otsu(smooth)
    return found


def _affine(image: NDArray[Any], q: tuple[float, float] | None) -> Affine:
    shape = (len(image),) + (1,) * (image.ndim - 1)
    if q is None:
        return Affine.between(np.zeros(shape), np.ones(shape))
    return Affine.between(*percentiles(image, q, tuple(range(1, image.ndim))))


def _normalized(
    image: NDArray[np.float32], affine: Affine, undo: str
) -> NDArray[np.float32]:
    affine = affine.repeated(len(image) // len(affine.low))
    if undo == "affine":
        return affine(image)
    return image / affine.width if undo == "scale" else image


def _truth(
    pair: Pair, low: Affine, q: tuple[float, float] | None, target: str
) -> NDArray[np.float32]:
    """Normalize the high image as in training."""
    if target != "fitted":
        return _affine(pair.high, q)(pair.high)
    stretched = gather(pair.low, lines(pair))
    fits = [linear_fit(x, y) for x, y in zip(stretched, pair.high, strict=True)]
    fitted = [a * y + b for (a, b), y in zip(fits, pair.high, strict=True)]
    return low(np.stack(fitted))
