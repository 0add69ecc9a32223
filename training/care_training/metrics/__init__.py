"""Metrics: how good a restoration is, and what it is good for.

Errors against a ground truth are those of the runtime, which has their one definition.
"""

from care_runtime.score import Scores, affine_fit, score, ssim
from care_training.metrics.frc import RingCorrelation, ring_correlation
from care_training.metrics.segmentation import Matching, matching, seg
from care_training.metrics.spectrum import Spectra, spectra, spectral_isotropy
from care_training.metrics.squirrel import ScaledError, scaled_error
from care_training.metrics.threshold import threshold_segmentation
from care_training.metrics.tracking import Tracking, tracking

__all__ = [
    "Matching",
    "RingCorrelation",
    "ScaledError",
    "Scores",
    "Spectra",
    "Tracking",
    "affine_fit",
    "matching",
    "ring_correlation",
    "scaled_error",
    "score",
    "seg",
    "spectra",
    "spectral_isotropy",
    "ssim",
    "threshold_segmentation",
    "tracking",
]
