"""Studies: the paper's figures that need more than one network, or a movie.

A `Study` trains its variants with one recipe and several seeds, scores all on the same
test images and writes an `Outcome` beside the package: JSON, which reports include,
and plots. Baselines are tuned on images that are not scored.
"""

from care_training.studies.outcome import Entry, Outcome
from care_training.studies.setting import Setting
from care_training.studies.study import NAMES, Study, conduct, study

__all__ = ["NAMES", "Entry", "Outcome", "Setting", "Study", "conduct", "study"]
