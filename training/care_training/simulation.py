"""Simulation: images that are drawn, so that their truth is known."""

from __future__ import annotations

import hashlib
import inspect
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from care_runtime.files import written
from care_training.pairs import Pair, Split

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[np.random.Generator, str], Pair]

SHARED = ("degrade.py", "experiments/axial.py", "experiments/sharp.py")
"""What several experiments draw with, beside `simulate`."""

PARTS = {"training": 0, "validation": 1, "test": 2}
"""Numbers that keep the draws of training, validation and test apart."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """How an experiment's images are drawn, and how many.

    Parameters
    ----------
    draw
        Draws one image pair, under the condition that is named; a function of a module,
        so that other processes can call it.
    conditions
        Light doses and the like. Training images take them in turn; every test set is
        of one.
    learn
        Draws the pairs to learn from, where they are others than those to be judged by:
        an isotropic network learns from degraded planes, and restores volumes.
    training, validation
        Images to learn from, and to watch learning and tune baselines on.
    test
        Images of each condition, drawn for the scores alone.
    """

    draw: Draw
    conditions: tuple[str, ...] = ("",)
    learn: Draw | None = None
    training: int = 160
    validation: int = 6
    test: int = 6

    def split(self, folder: Path, seed: int = 0, workers: int = 1) -> Split:
        """Draw what a network learns from, unless it lies in the folder already.

        Parameters
        ----------
        folder
            Where the images are kept; they are mapped from there, not read.
        seed
            Of all draws.
        workers
            Processes that draw.
        """
        draw = self.learn or self.draw
        return Split(
            self._drawn(draw, "training", self.training, folder, seed, workers),
            self._drawn(draw, "validation", self.validation, folder, seed, workers),
        )

    def tuning(self, folder: Path, seed: int = 0, workers: int = 1) -> tuple[Pair, ...]:
        """Draw what baselines are tuned on, which are no test images."""
        part = "validation"
        return self._drawn(self.draw, part, self.validation, folder, seed, workers)

    def tests(
        self, folder: Path, seed: int = 0, workers: int = 1
    ) -> dict[str, tuple[Pair, ...]]:
        """Draw the test images of every condition."""
        count = len(self.conditions)
        total = count * self.test
        drawn = self._drawn(self.draw, "test", total, folder, seed, workers)
        return {name: drawn[i::count] for i, name in enumerate(self.conditions)}

    def smaller(self) -> Simulation:
        """Draw just enough to show that all of it works."""
        return replace(
            self, training=4, validation=max(2, len(self.conditions)), test=1
        )

    def _drawn(
        self,
        draw: Draw,
        part: str,
        count: int,
        folder: Path,
        seed: int,
        workers: int,
    ) -> tuple[Pair, ...]:
        place = folder / f"{draw.__name__}-{_digest(draw)}-seed{seed}"
        place.mkdir(parents=True, exist_ok=True)
        work = partial(_keep, draw, part, place, seed)
        turns = [self.conditions[i % len(self.conditions)] for i in range(count)]
        if workers <= 1:
            return tuple(map(work, range(count), turns))
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
            list(pool.map(_prepare, repeat(work), range(count), turns))
        return tuple(map(work, range(count), turns))


def _prepare(work: Callable[[int, str], Pair], number: int, condition: str) -> None:
    """Draw into files alone: mapped images are not sent between processes."""
    work(number, condition)


def _keep(
    draw: Draw, part: str, place: Path, seed: int, number: int, condition: str
) -> Pair:
    """Map a pair from its files, which are drawn if they are not there.

    The high image is written last: where it is, the others are.
    """
    name = f"{condition} {part} {number}".strip()
    sides = ("labels", "clean", "low", "high")
    files = {side: place / f"{part}_{number:05d}_{side}.npy" for side in sides}
    if not files["high"].exists():
        rng = np.random.default_rng([seed, PARTS[part], number])
        pair = draw(rng, condition)
        for side, file in files.items():
            image = getattr(pair, side)
            if image is None:
                continue
            with written(file) as partial_file, partial_file.open("wb") as stream:
                np.save(stream, np.ascontiguousarray(image))
    images = {
        side: np.load(file, mmap_mode="r")
        for side, file in files.items()
        if file.exists()
    }
    return Pair(name, **images)


def _digest(draw: Draw) -> str:
    """Fingerprint of the code that draws: images of older code are not taken up."""
    found = hashlib.sha256(Path(inspect.getfile(draw)).read_bytes())
    ours = Path(__file__).parent
    drawing = [*ours.glob("simulate/*.py"), *(ours / name for name in SHARED)]
    for file in sorted(drawing):
        found.update(file.read_bytes())
    return found.hexdigest()[:12]
