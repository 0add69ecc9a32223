"""Report: the evaluation of a model in the manner of the paper, as one page.

`report` restores all test images of an experiment once (`gather`), and writes what it
found: boxes (Fig. 1d, 2d), panels, profiles (Fig. 4), spectra (Fig. 3b), the strongest
errors (S-Fig. 25) and how far to trust a model (Fig. 5), with a table of all numbers.
"""

from care_training.report.make import Report, Wish, report

__all__ = ["Report", "Wish", "report"]
