"""Outcome: what a study found, as numbers that are kept beside the package."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.errors import TrainingError
from care_runtime.files import written

if TYPE_CHECKING:
    from pathlib import Path

Key = tuple[str, float | None, str, str]
"""Variant, its value, part and method."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one method made of all test images of one part.

    Parameters
    ----------
    variant
        Name of the variant; empty for a method that is the same for all.
    value
        Its place on the axis of the plot, if it has one.
    part
        Condition or channel of the images; empty where there is but one.
    method
        ``"input"``, a baseline or ``"network"``.
    seed
        Of the training, or of the movie; None where nothing depends on one.
    scores
        By measure, one for each image.
    strength
        Of a baseline, tuned.
    """

    variant: str
    value: float | None
    part: str
    method: str
    seed: int | None
    scores: Mapping[str, tuple[float, ...]]
    strength: float | None = None

    @property
    def key(self) -> Key:
        """What entries of several seeds share."""
        return self.variant, self.value, self.part, self.method

    def mean(self, measure: str) -> float:
        """Average a measure over the images."""
        return float(np.mean(self.scores[measure]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a study found.

    Parameters
    ----------
    study, experiment
        Names.
    figure
        Of the paper.
    text
        What was compared, in a sentence or more.
    axis
        What the values of variants are; empty where these have names alone.
    origin
        Of the images: ``"real"``, ``"semi-synthetic"`` or ``"synthetic"``.
    tests, tuning
        Which images were scored, and on which baselines were tuned.
    recipe
        How the networks were trained, or which model it was.
    seeds
        Of trainings, or of movies.
    measures
        Those to draw, with their direction, such as ``"NRMSE (lower is better)"``.
    entries
        Every number.
    trainings
        Facts of every training.
    machine
        Device and versions.
    notes
        What a reader has to know besides.
    """

    study: str
    experiment: str
    figure: str
    text: str
    axis: str
    origin: str
    tests: str
    tuning: str
    recipe: str
    seeds: tuple[int, ...]
    measures: Mapping[str, str]
    entries: tuple[Entry, ...]
    trainings: tuple[Mapping[str, Any], ...] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """Conditions or channels, in their order."""
        return tuple(dict.fromkeys(entry.part for entry in self.entries))

    def grouped(self) -> dict[Key, list[Entry]]:
        """Gather the entries that differ in their seed alone."""
        found: dict[Key, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.key, []).append(entry)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values; numbers without end become None."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Outcome:
        """Read back what `to_dict` wrote."""
        given = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        for name in ("seeds", "trainings", "notes"):
            given[name] = tuple(given.get(name, ()))
        entries = [
            Entry(**{**entry, "scores": _numbers(entry["scores"])})
            for entry in values["entries"]
        ]
        return cls(**{**given, "entries": tuple(entries)})


def over_seeds(entries: Sequence[Entry], measure: str) -> tuple[float, float | None]:
    """Average over seeds, each the mean over its images.

    Returns
    -------
    mean, spread
        The standard deviation over seeds, of a sample; None of fewer than two.
    """
    means = [entry.mean(measure) for entry in entries]
    spread = float(np.std(means, ddof=1)) if len(means) > 1 else None
    return float(np.mean(means)), spread


def folder(package: Path) -> Path:
    """Say where the studies of a package lie: beside it, and not in it."""
    return package.parent / f"{package.name}.studies"


def write(outcome: Outcome, place: Path) -> Path:
    """Write an outcome as JSON into a folder.

    Returns
    -------
    Path
        The file.
    """
    file = place / f"{outcome.study}.json"
    text = json.dumps(outcome.to_dict(), indent=1, ensure_ascii=False)
    with written(file) as partial:
        partial.write_text(text + "\n", "utf-8")
    return file


def read(file: Path) -> Outcome:
    """Read an outcome.

    Raises
    ------
    TrainingError
        If the file is no outcome.
    """
    try:
        return Outcome.from_dict(json.loads(file.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = (
            f"{file} cannot be read as the outcome of a study ({error}): run "
            "care-train study again, or delete it"
        )
        raise TrainingError(msg) from error


def found(name: str, *places: Path) -> list[Outcome]:
    """Read the studies of a model that lie beside its package, or elsewhere.

    Parameters
    ----------
    name
        Of the experiment; studies of others are left out.
    places
        Folders of studies that may be there; of two outcomes of one study, that of the
        later folder counts.
    """
    outcomes: dict[str, Outcome] = {}
    for place in places:
        for file in sorted(place.glob("*.json")):
            outcome = read(file)
            if outcome.experiment == name:
                outcomes[outcome.study] = outcome
    return list(outcomes.values())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return [_plain(each) for each in value] if isinstance(value, Iterable) else value


def _numbers(scores: Mapping[str, Sequence[float | None]]) -> dict[str, Any]:
    return {
        name: tuple(math.nan if v is None else float(v) for v in values)
        for name, values in scores.items()
    }
