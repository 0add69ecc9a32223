"""Published: the paper's own data, fetched, learnt from and judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from care_runtime.errors import TrainingError
from care_training import window
from care_training.datasets import CasePairs, fetch, load, record, training_file
from care_training.pairs import Pair, Split
from care_training.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from care_training.baselines import Baseline
    from care_training.card import Facts
    from care_training.datasets import Archive, Case
    from care_training.form import Form
    from care_training.measure import Measure

SEED = 2018
"""Of where samples and tuning images are cut."""

READY = (
    "The authors cut and normalized them, by percentiles, and they are learnt from as "
    "they are; for a restoration, an image is normalized between its percentiles 2 and "
    "99.8, which CSBDeep does too."
)
"""What cards say about published patches."""

HELD_BACK = (
    "No test image with a ground truth was published: the last 5 % of the patches were "
    "held back, of which the first half watched the training, and up to 100 of the "
    "other half give the scores. The file is shuffled, so that these may overlap "
    "patches that were learnt from, and the scores flatter the network."
)
"""What cards say where patches are scored."""

CREDIT = "Data: Weigert et al. 2018, Edmond, doi:10.17617/3.FDFZOF."

CROP, PLANE = (32, 128, 128), (128, 128)
"""Size of a sample: what a package may carry (Z, Y, X), or (Y, X) of a projection."""

TUNING = 2
"""Crops of each stack that is kept for tuning."""


@dataclass(frozen=True, slots=True)
class Published:
    """An archive of the paper's data, and what an experiment makes of it.

    Training patches were cut and normalized by the authors, and are taken as they are;
    the last 5 % are held back, as CSBDeep does. Where test stacks come with a ground
    truth, those patches watch the training, the first stacks by name tune baselines,
    and all others give the scores. Where they do not, the first half of the patches
    held back watches and tunes, and the other half gives the scores.

    Parameters
    ----------
    archive
        Where the data are.
    facts, description
        What the card says instead of what is said of simulated data.
    part
        Folder of the patches within ``train_data``.
    read
        Lists the test stacks by condition; None if only patches are used.
    truth
        Whether these stacks have a ground truth.
    tuned
        Stacks kept for tuning, the same of every condition; they are never scored.
    step
        See `CasePairs`.
    shown
        Condition that the sample is of; by default the first.
    crop
        Size of samples and tuning images in pixels, one number for each axis of the
        restoration.
    baselines, measures
        What suits these data; baselines of which the strength is chosen need `tuned`
        stacks or patches.
    most
        Images that are scored of each condition, at most.
    """

    archive: Archive
    facts: Facts
    description: str
    part: str = ""
    read: Callable[[Path], Mapping[str, Sequence[Case]]] | None = None
    truth: bool = True
    tuned: int = 0
    step: int = 0
    shown: str = ""
    crop: tuple[int, ...] = CROP
    baselines: tuple[Baseline, ...] = ()
    measures: tuple[Measure, ...] = ()
    most: int = 100

    def split(self, folder: Path, seed: int = 0, workers: int = 1) -> Split:
        """Fetch the archive into a folder, unless it is there, and open its patches.

        No pixel is read. The split is known by the hash of the archive and the
        checksums in the file of the patches.

        Raises
        ------
        FileError
            If the archive cannot be fetched or is not what was published; where its
            address is not known, the error says how to get it by hand.
        TrainingError
            If it holds too few patches.
        """
        place = fetch(self.archive, folder)
        found = load(training_file(place, self.part))
        known = self.archive.sha256 or record.read(folder).get(self.archive.name)
        fingerprint = " ".join(filter(None, (known, found.fingerprint)))
        watching, _ = self._halves(found.validation)
        return Split(found.training, watching, fingerprint)

    def tuning(self, folder: Path, seed: int = 0, workers: int = 1) -> Sequence[Pair]:
        """Give what baselines are tuned on, which is never scored.

        Nothing is given if there are no baselines. Else these are crops of the stacks
        that are kept for it, two of each, where there is something to see; or patches.
        """
        if not self.baselines:
            return ()
        if not self._judged_by_stacks:
            watching, _ = self._halves(self._held_back(folder))
            return _spread(watching, self.most)
        rng = np.random.default_rng(SEED)
        return tuple(
            _cropped(pair, self.crop, rng, number)
            for condition, cases in self._cases(folder).items()
            for pair in CasePairs(cases[: self.tuned], condition, self.step)
            for number in range(TUNING)
        )

    def tests(
        self, folder: Path, seed: int = 0, workers: int = 1
    ) -> dict[str, Sequence[Pair]]:
        """Give what is scored, by condition: stacks are read when they are used."""
        if not self._judged_by_stacks:
            _, scored = self._halves(self._held_back(folder))
            return {"": _spread(scored, self.most)}
        found = {}
        for condition, cases in self._cases(folder).items():
            scored = CasePairs(cases[self.tuned :], condition, self.step)
            if not scored:
                msg = (
                    f"expected more than {self.tuned} test stacks of {condition} in "
                    f"{self._place(folder)}, of which that many are kept for tuning, "
                    f"found {len(cases)}: fetch the archive again"
                )
                raise TrainingError(msg)
            found[condition] = _spread(scored, self.most)
        return found

    def check(self, folder: Path, form: Form) -> None:
        """Look at all test stacks before hours of training; no pixel is read.

        Parameters
        ----------
        folder
            Of the data sets.
        form
            Of the network that is to restore them.

        Raises
        ------
        FileError, AxesError
            If one is damaged, or has other axes.
        TrainingError
            If stacks or ground truths are missing, or they do not fit each other or
            the network.
        """
        if self._judged_by_stacks:
            self.tests(folder)
        if self.read is None:
            return
        cases = self._cases(folder)
        if self.shown and self.shown not in cases:
            msg = (
                f"expected test stacks of {self.shown}, of which the sample is, in "
                f"{self._place(folder)}, found {', '.join(cases)}: fetch the archive "
                "again"
            )
            raise TrainingError(msg)
        for case in chain.from_iterable(cases.values()):
            case.check(self.step)
            channels = case.low.shape()[0]
            if form.channels_in not in (1, channels):
                msg = (
                    f"expected {form.channels_in} channels in {case.low.path}, which "
                    f"the network restores together, found {channels}: fetch the "
                    "archive again"
                )
                raise TrainingError(msg)

    def sample(self, folder: Path) -> Sample:
        """Cut a sample out of the test data, or take a patch."""
        if self.read is None:
            pair = self.tests(folder)[""][0]
            return Sample(np.array(pair.low), np.array(pair.high))
        cases = self._cases(folder)
        case = cases[self.shown or next(iter(cases))][-1]
        rng = np.random.default_rng(SEED)
        if self.truth and not self.step:
            pair = _cropped(case.pair(), self.crop, rng)
            return Sample(pair.low, pair.high)
        low = case.low.read()
        return Sample(_cropped(Pair(case.name, low, low), self.crop, rng).low)

    def smaller(self) -> Published:
        """Score just enough to show that all of it works."""
        return replace(self, most=1)

    @property
    def _judged_by_stacks(self) -> bool:
        return self.read is not None and self.truth

    def _cases(self, folder: Path) -> Mapping[str, Sequence[Case]]:
        assert self.read is not None
        return self.read(self._place(folder))

    def _place(self, folder: Path) -> Path:
        """Find the unpacked archive, which `split` has verified before."""
        target = folder / self.archive.stem
        return target if target.is_dir() else fetch(self.archive, folder)

    def _held_back(self, folder: Path) -> Sequence[Pair]:
        return load(training_file(self._place(folder), self.part)).validation

    def _halves(self, held: Sequence[Pair]) -> tuple[Sequence[Pair], Sequence[Pair]]:
        """Divide the patches held back: those that watch, and those that are scored."""
        half = len(held) if self._judged_by_stacks else len(held) // 2
        if not half:
            msg = (
                f"expected 5 % of the patches of {self.archive.name} to be enough to "
                f"hold them back, found {len(held)}: fetch the archive again"
            )
            raise TrainingError(msg)
        return held[:half], held[half:]


def _spread(pairs: Sequence[Pair], most: int) -> Sequence[Pair]:
    """Take some of a sequence, at equal distances."""
    return pairs[:: -(-len(pairs) // most)]


def _cropped(
    pair: Pair, crop: tuple[int, ...], rng: np.random.Generator, number: int = 0
) -> Pair:
    """Copy a place that shows more than background; an axis that is lost stays whole.

    The number keeps crops of one image apart by name.
    """
    image = pair.high[0]
    size = tuple(min(n, most) for n, most in zip(image.shape, crop, strict=True))
    place = window.draw(rng, image, size, window.threshold(image))
    whole = (slice(None),) * (pair.low.ndim - len(place))
    low, high = pair.low[(*whole, *place)], pair.high[(slice(None), *place)]
    return Pair(f"{pair.name} [crop {number}]", np.array(low), np.array(high))
