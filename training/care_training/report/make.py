"""Make: an experiment's model, judged on its test images, as a page to read."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import care_runtime
from care_runtime import store
from care_runtime.errors import OptionError
from care_runtime.files import written
from care_training import plot, reproduce
from care_training.baselines import NAMED
from care_training.product import Judges
from care_training.report import about, document, page, resolved, scores, trust
from care_training.report.chart import Chart
from care_training.report.gather import gather
from care_training.simulation import Simulation
from care_training.studies import outcome, section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from care_training.baselines import Baseline
    from care_training.experiments.experiment import Experiment
    from care_training.report.gather import Gathered


@dataclass(frozen=True, slots=True)
class Wish:
    """What to report on.

    Parameters
    ----------
    experiment
        Its zoo name.
    out
        Folder for what is written.
    model
        Name or package; by default that of the experiment in the zoo.
    data
        Folder of the images; by default a folder of `out`.
    seed
        Of the test images; other seeds draw others.
    images
        Test images of each condition; by default as many as the experiment has.
    quick
        Whether to take the little that a quick run takes.
    baselines
        Further denoising to compare with, by the names of `baselines.NAMED`.
    """

    experiment: str
    out: Path
    model: str | None = None
    data: Path | None = None
    seed: int = 0
    images: int | None = None
    quick: bool = False
    baselines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and what it says.

    Parameters
    ----------
    page
        The HTML file.
    found
        Scores and the rest.
    """

    page: Path
    found: Gathered


def report(wish: Wish, progress: Callable[[str], None] | None = None) -> Report:
    """Judge a model on the test images of its experiment, and write what was found.

    Writes ``report.html``, which holds all, ``report.json`` with every number, and the
    pictures as PNG.

    Parameters
    ----------
    wish
        What to report on.
    progress
        Told what is done next.

    Raises
    ------
    ModelNotFoundError
        If there is no such experiment or model.
    TrainingError
        If the images are a person's own to give, and no folder is given.
    OptionError
        If there is no image to report on, other images are asked for where none can be
        drawn, or a baseline is not known.
    """
    found = reproduce.experiment(wish.experiment)
    found = reproduce.quick(found) if wish.quick else found
    found = replace(found, baselines=(*found.baselines, *_named(wish.baselines)))
    judges = _judges(found, wish)
    package = store.locate(wish.model or wish.experiment)
    restorer = care_runtime.load(package, device="cpu")
    model = about.model(restorer)
    target = model.training.get("target", "percentiles")
    gathered = gather(
        restorer, judges, target=target, sharpens=found.sharpens, progress=progress
    )
    machine = about.machine(restorer.provenance["device"])
    seed = _seed(found, wish)
    facts = found.facts.data
    written_ = document.Document()
    document.header(written_, found.name, model, facts, seed, machine)
    document.errors_of_all(written_, gathered, found.measures, seed)
    document.images(written_, gathered)
    document.disagreements(written_, gathered)
    document.frequencies(written_, gathered)
    document.strongest(written_, gathered)
    document.reliability(written_, gathered, _calibration(gathered, wish.out))
    places = (package.folder, wish.out / found.name)
    studies = outcome.found(found.name, *map(outcome.folder, places))
    section.add(written_, studies)
    numbers = {
        "experiment": found.name,
        "figure": about.figure(model.description),
        "model": model.to_dict(),
        "test_seed": wish.seed,
        "machine": machine,
        **_numbers(gathered),
        "studies": {each.study: each.to_dict() for each in studies},
    }
    for name, png in written_.files.items():
        _write(wish.out / f"{name}.png", png)
    text = json.dumps(scores.plain(numbers), indent=1, ensure_ascii=False)
    _write(wish.out / "report.json", (text + "\n").encode())
    html = page.page(f"{found.name}: evaluation", written_.parts)
    _write(wish.out / "report.html", html.encode())
    return Report(wish.out / "report.html", gathered)


def _judges(found: Experiment, wish: Wish) -> Judges:
    """Draw or find the test images, and what baselines are tuned on."""
    if wish.images is not None and wish.images < 1:
        msg = f"expected 1 or more --images of each condition, found {wish.images}"
        raise OptionError(msg)
    if wish.data is None and found.needs_data:
        msg = f"the images of {found.name} are not drawn: give their folder, --data"
        raise OptionError(msg)
    source, place = found.source, wish.data or wish.out / "data"
    drawn = isinstance(source, Simulation)
    if wish.seed and not drawn:
        msg = (
            f"the test images of {found.name} are recorded, and there are no others "
            f"for seed {wish.seed}: leave out --seed"
        )
        raise OptionError(msg)
    # Baselines are tuned on the same images whatever the seed of the tests.
    tuning = source.tuning(place)
    if wish.images is not None and isinstance(source, Simulation):
        source = replace(source, test=wish.images)
    tests = source.tests(place, wish.seed)
    chosen = {name: pairs[: wish.images] for name, pairs in tests.items()}
    return Judges(chosen, tuning, found.baselines, found.measures)


def _named(names: Sequence[str]) -> list[Baseline]:
    """Find baselines by name."""
    unknown = [name for name in names if name not in NAMED]
    if unknown:
        msg = (
            f"expected for --baseline one of {', '.join(NAMED)}, found "
            f"{', '.join(unknown)}"
        )
        raise OptionError(msg)
    return [NAMED[name] for name in names]


def _seed(found: Experiment, wish: Wish) -> str:
    """Say where the test images come from."""
    if isinstance(found.source, Simulation):
        return f"drawn for the test alone, seed {wish.seed}"
    return "recorded, and held back from training; they also watched it"


def _calibration(gathered: Gathered, out: Path) -> Chart | None:
    if not gathered.calibrations:
        return None
    path = out / "calibration.png"
    plot.calibration(path, gathered.calibrations)
    return Chart("calibration", path.read_bytes(), "Accuracy against confidence")


def _numbers(gathered: Gathered) -> dict[str, Any]:
    return {
        "conditions": {
            condition or "all": scores.to_dict(found)
            for condition, found in gathered.evaluations.items()
        },
        "strongest_errors": {
            kind: [spot.to_dict() for spot in spots]
            for kind, spots in gathered.spots.items()
        },
        "resolution_scaled": resolved.over(gathered.seen),
        "calibration": {k: c.to_dict() for k, c in gathered.calibrations.items()},
        "doubt": {
            "mean": {k: r.to_dict() for k, r in trust.over(gathered.seen).items()},
            "each": {
                image.name: {k: r.to_dict() for k, r in image.relations.items()}
                for image in gathered.seen
                if image.relations
            },
        },
    }


def _write(path: Path, content: bytes) -> None:
    with written(path) as partial:
        partial.write_bytes(content)
