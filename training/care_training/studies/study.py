"""Study: one figure of the paper, as variants that are compared."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from care_runtime.errors import ModelNotFoundError, OptionError
from care_runtime.files import written
from care_training.studies import figure, outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from care_training.experiments.experiment import Experiment
    from care_training.studies.outcome import Outcome
    from care_training.studies.setting import Setting

    Tell = Callable[[str], None]

NAMES = ("patches", "factors", "channels", "tracking")
"""In the order of reports; each is a module of this package with a `STUDY`."""


@dataclass(frozen=True, slots=True)
class Study:
    """A comparison, and which experiments it suits.

    Parameters
    ----------
    name
        On the command line.
    figure
        Of the paper.
    about
        What is compared, in a line.
    suits
        Whether it makes sense for an experiment.
    needs
        What it needs of one, for those it does not suit.
    conduct
        Trains and scores.
    """

    name: str
    figure: str
    about: str
    suits: Callable[[Experiment], bool]
    needs: str
    conduct: Callable[[Setting, Tell], Outcome]


def study(name: str) -> Study:
    """Find a study by its name.

    Raises
    ------
    ModelNotFoundError
        If there is none of that name.
    """
    if name not in NAMES:
        msg = f"no study is called {name!r}: there are {', '.join(NAMES)}"
        raise ModelNotFoundError(msg)
    found: Study = import_module(f"care_training.studies.{name}").STUDY
    return found


def conduct(
    name: str, setting: Setting, tell: Tell | None = None
) -> tuple[Outcome, Path]:
    """Make a study, and write its outcome and plots beside the package.

    Writes ``NAME.json`` and PNG into the folder ``EXPERIMENT.studies`` of the output. A
    study that was stopped goes on from its checkpoints.

    Parameters
    ----------
    name
        Of the study.
    setting
        Experiment, steps, seeds and place.
    tell
        Told what is done next.

    Returns
    -------
    outcome, file
        What was found, and where it lies.

    Raises
    ------
    ModelNotFoundError
        If there is no such study.
    OptionError
        If it does not suit the experiment, or the setting makes no sense.
    """
    found = study(name)
    if not found.suits(setting.experiment):
        msg = (
            f"expected an experiment {found.needs} for the study {name}, found "
            f"{setting.experiment.name}"
        )
        raise OptionError(msg)
    setting.check()
    result = found.conduct(setting, tell or (lambda _: None))
    place = outcome.folder(setting.out / setting.experiment.name)
    file = outcome.write(result, place)
    for chart in figure.plots(result):
        with written(place / f"{chart.name}.png") as partial:
            partial.write_bytes(chart.png)
    return result, file
