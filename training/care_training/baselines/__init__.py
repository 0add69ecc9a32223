"""Baselines: the classical methods that the paper compares CARE with.

`tune` chooses the strength of a method on validation images, `measure` scores it on
the test images, and `best` tunes it on the very images scored, in its favour.
Deconvolution and interpolation need a PSF or a factor, so that `deconvolution`,
`interpolation` and `isotropic` make their baselines. SRRF takes a movie, and is the
function `srrf.srrf`.
"""

from care_training.baselines.bm import (
    BM3D,
    BM3D_STABILIZED,
    BM4D,
    BM4D_STABILIZED,
)
from care_training.baselines.deconvolve import deconvolution, interpolation, isotropic
from care_training.baselines.denoise import (
    BILATERAL,
    GAUSSIAN,
    MEDIAN,
    NLM,
    NLM_STABILIZED,
    TV,
    TV_STABILIZED,
    gaussian_in,
    of_stacks,
)
from care_training.baselines.graphcut import GRAPH_CUT
from care_training.baselines.manifold import SMOOTH_MANIFOLD
from care_training.baselines.method import (
    Baseline,
    BaselineScore,
    apply,
    best,
    curve,
    measure,
    normalized,
    restored,
    tune,
)
from care_training.baselines.packages import MissingPackageError
from care_training.baselines.surface import MAXIMUM, MAXIMUM_SMOOTHED, followed

ALL = (GAUSSIAN, NLM, TV)
"""Those that every card shows: free, fast and strong."""

FREE = (GAUSSIAN, MEDIAN, BILATERAL, NLM, TV, NLM_STABILIZED, TV_STABILIZED)
"""All denoising that needs no further package."""

PAPER = (GAUSSIAN, MEDIAN, BILATERAL, NLM, TV, BM3D, BM4D)
"""What the paper compares planaria with (Methods, "Planaria denoising")."""

NAMED = {
    method.name.lower().replace(", ", "-").replace(" ", "-"): method
    for method in (*FREE, BM3D, BM3D_STABILIZED, BM4D, BM4D_STABILIZED)
}
"""Denoising by the names of ``care-train evaluate --baseline``."""

PROJECTIONS = (MAXIMUM, MAXIMUM_SMOOTHED, GRAPH_CUT, SMOOTH_MANIFOLD)
"""What projects: takes pairs of a stack (C, Z, Y, X) and a plane (C, Y, X)."""

__all__ = [
    "ALL",
    "BILATERAL",
    "BM3D",
    "BM3D_STABILIZED",
    "BM4D",
    "BM4D_STABILIZED",
    "FREE",
    "GAUSSIAN",
    "GRAPH_CUT",
    "MAXIMUM",
    "MAXIMUM_SMOOTHED",
    "MEDIAN",
    "NAMED",
    "NLM",
    "NLM_STABILIZED",
    "PAPER",
    "PROJECTIONS",
    "SMOOTH_MANIFOLD",
    "TV",
    "TV_STABILIZED",
    "Baseline",
    "BaselineScore",
    "MissingPackageError",
    "apply",
    "best",
    "curve",
    "deconvolution",
    "followed",
    "gaussian_in",
    "interpolation",
    "isotropic",
    "measure",
    "normalized",
    "of_stacks",
    "restored",
    "tune",
]
