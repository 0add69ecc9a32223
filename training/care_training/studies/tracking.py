"""Tracking: cells followed in the projection of a movie (Fig. 2).

The paper shows that cells of a fly wing are segmented and tracked as well in the
restoration of a tenth of the light. Here a movie is drawn in which cells flow, each
frame is projected by itself, cells are segmented by a watershed and linked by their
centres, with one setting for all methods: what differs is the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

import care_runtime
from care_runtime import store
from care_training import baselines, evaluate
from care_training.baselines.packages import require
from care_training.evaluate import NETWORK
from care_training.experiments import project_flywing
from care_training.experiments.project_flywing import VOXEL
from care_training.experiments.seen import cell_labels
from care_training.metrics import seg, tracking
from care_training.pairs import Pair
from care_training.report import about
from care_training.report.chart import TRUTH
from care_training.simulate import (
    DOSES,
    OPTICS,
    Tissue,
    blur,
    epithelium_movie,
    project,
)
from care_training.studies.outcome import Entry, Outcome
from care_training.studies.study import Study
from care_training.studies.words import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from care_training.studies.setting import Setting

    Way = Callable[[Pair], NDArray[Any]]

FRAMES = 12

SHAPE = (50, 128, 128)

QUICK_FRAMES, QUICK_SHAPE = 3, (16, 64, 64)

CUTOFF = 2.25
"""Farthest that a centre may move between frames, in um: half the distance of cells."""

MOVIE = 7
"""Keeps the draws of movies apart from those of other images."""

METHODS = (
    baselines.MAXIMUM,
    baselines.followed(baselines.GRAPH_CUT, 0.5, baselines.NLM),
)

MEASURES: Mapping[str, str] = {
    "links": "true links found (higher is better)",
    "TRA": "TRA (higher is better)",
}

TEXT = (
    "Simulated movies of an epithelium that flows by 0.6 um a frame. Each frame was "
    "projected by itself, cells were segmented by one watershed for all methods and "
    "linked by their centres with LapTrack. Links: fraction of the true links between "
    "frames that were found. Truth stands for a projection of a stack of full dose "
    "along the true surface, segmented and linked alike: what it lacks is lost to "
    "these two steps, and not to an image."
)


@dataclass(frozen=True, slots=True)
class Movie:
    """Frames of one movie in one condition."""

    condition: str
    seed: int
    frames: tuple[Pair, ...]


def movies(
    seed: int, conditions: Sequence[str], shape: Sequence[int], frames: int
) -> list[Movie]:
    """Draw a movie, and expose it in several conditions.

    Parameters
    ----------
    seed
        Of the movie.
    conditions
        Light doses of the fly wing.
    shape
        (Z, Y, X).
    frames
        2 or more.
    """
    rng = np.random.default_rng([seed, MOVIE])
    found: dict[str, list[Pair]] = {name: [] for name in conditions}
    psf = OPTICS["flywing"].psf(VOXEL)
    scenes = epithelium_movie(shape, rng, frames, Tissue(voxel_size=VOXEL))
    bright = 0.0
    for number, scene in enumerate(scenes):
        seen = blur(scene.density, psf)
        # One exposure for the whole movie, as the experiment sets it for a stack.
        bright = bright or float(np.percentile(project(seen, scene.height), 99.9))
        taken = DOSES["flywing"].expose(seen / bright, rng, "GT", *conditions)
        target = project(taken["GT"], scene.height)[None]
        for name in conditions:
            title = f"{name} movie {seed} frame {number}"
            pair = Pair(title, taken[name][None], target, labels=scene.labels)
            found[name].append(pair)
    return [Movie(name, seed, tuple(pairs)) for name, pairs in found.items()]


def linked(labels: Sequence[NDArray[Any]], cutoff: float) -> list[tuple[int, int, int]]:
    """Link segments of frames that follow each other by their centres.

    Parameters
    ----------
    labels
        Segments of every frame, (Y, X).
    cutoff
        Farthest that a centre may move, in pixels.

    Returns
    -------
    list of tuple
        Frame, label in it, and label in the next frame.

    Raises
    ------
    MissingPackageError
        If LapTrack is not installed: the extra ``tracking``.
    """
    laptrack = require("laptrack", "tracking")
    numbers = [np.unique(frame[frame > 0]) for frame in labels]
    centres = [
        np.array(ndimage.center_of_mass(frame > 0, frame, mine)).reshape(-1, 2)
        for frame, mine in zip(labels, numbers, strict=True)
    ]
    tracker = laptrack.LapTrack(
        cutoff=cutoff**2, gap_closing_cutoff=False, splitting_cutoff=False
    )
    return [
        (a[0], int(numbers[a[0]][a[1]]), int(numbers[b[0]][b[1]]))
        for a, b in tracker.predict(centres).edges
    ]


def followed(movie: Movie, way: Way, cutoff: float) -> dict[str, tuple[float, ...]]:
    """Restore, segment and track a movie.

    Returns
    -------
    dict
        Scores; errors and SEG are of each frame.
    """
    images = [np.asarray(way(pair)) for pair in movie.frames]
    labels = [cell_labels(image[0]) for image in images]
    truth = [np.asarray(pair.labels) for pair in movie.frames]
    found = tracking(labels, truth, linked(labels, cutoff))
    pairs = list(zip(images, movie.frames, strict=True))
    errors = [evaluate.scores(image, pair)[0] for image, pair in pairs]
    return {
        "links": (found.recall,),
        "precision": (found.precision,),
        "TRA": (found.tra,),
        "SEG": tuple(seg(a, b) for a, b in zip(labels, truth, strict=True)),
        "NRMSE": tuple(e.nrmse for e in errors),
        "SSIM": tuple(e.ssim for e in errors),
    }


def conduct(setting: Setting, tell: Callable[[str], None]) -> Outcome:
    """Track cells in what each method makes of the movies."""
    require("laptrack", "tracking")
    conditions = ("C2",) if setting.quick else tuple(DOSES["flywing"].conditions)
    shape = QUICK_SHAPE if setting.quick else SHAPE
    frames = QUICK_FRAMES if setting.quick else FRAMES
    restorer = care_runtime.load(
        store.locate(setting.model or setting.experiment.name), device="cpu"
    )
    model = about.model(restorer)
    methods = METHODS[:1] if setting.quick else METHODS
    tuning = setting.experiment.source.tuning(setting.place) if len(methods) > 1 else ()
    ways: dict[str, list[tuple[str, float | None, Way]]] = {}
    for condition in conditions:
        mine = [pair for pair in tuning if pair.name.startswith(condition)]
        ways[condition] = [_tuned(method, mine) for method in methods]
        ways[condition].append((NETWORK, None, lambda p: evaluate.restore(restorer, p)))
        ways[condition].append((TRUTH, None, lambda p: p.high))
    entries = []
    for seed in setting.seeds:
        tell(f"movie {seed}: drawing")
        for movie in movies(seed, conditions, shape, frames):
            for name, strength, way in ways[movie.condition]:
                tell(f"movie {seed}, {movie.condition}: {name}")
                scores = followed(movie, way, CUTOFF / VOXEL[1])
                place = ("", None, movie.condition, name, seed, scores, strength)
                entries.append(Entry(*place))
    size = " x ".join(str(n) for n in shape)
    return Outcome(
        STUDY.name,
        setting.experiment.name,
        STUDY.figure,
        TEXT,
        "",
        "synthetic",
        f"{len(setting.seeds)} movies of {frames} frames of {size} voxels, drawn for "
        "the test alone",
        f"{len(tuning) // max(len(conditions), 1)} validation stacks of each condition",
        f"model {model.name} {model.version}, sha256 {model.sha256[:12]}, training "
        f"steps {model.steps}, trained on {model.origin} data",
        setting.seeds,
        MEASURES,
        tuple(sorted(entries, key=lambda entry: conditions.index(entry.part))),
        machine=machine(setting),
        notes=("Seeds are those of movies; the model is one and the same.",),
    )


def _tuned(
    method: baselines.Baseline, tuning: Sequence[Pair]
) -> tuple[str, float | None, Way]:
    """Choose the strength of a baseline, if it has one."""
    if len(method.strengths) == 1:
        strength, told = method.strengths[0], None
    else:
        strength = told = baselines.tune(method, tuning)
    return (
        method.name,
        told,
        lambda pair: baselines.restored(method, strength, pair.low),
    )


STUDY = Study(
    "tracking",
    "Fig. 2",
    "cells tracked in a projected movie",
    lambda found: found.name == project_flywing.EXPERIMENT.name,
    "project_flywing",
    conduct,
)
