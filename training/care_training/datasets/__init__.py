"""Datasets: the paper's published images and patches, fetched, verified and read."""

from care_training.datasets import edmond, examples
from care_training.datasets.archive import Archive, fetch
from care_training.datasets.case import Case, CasePairs, Picture
from care_training.datasets.flywing import flywing
from care_training.datasets.patches import PatchPairs, load, training_file
from care_training.datasets.stacks import (
    drosophila,
    liver,
    planaria,
    retina,
    tribolium,
)

__all__ = [
    "Archive",
    "Case",
    "CasePairs",
    "PatchPairs",
    "Picture",
    "drosophila",
    "edmond",
    "examples",
    "fetch",
    "flywing",
    "liver",
    "load",
    "planaria",
    "retina",
    "training_file",
    "tribolium",
]
