"""Show: what the command line of the training side prints."""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from care_training.assess import Assessment
    from care_training.evaluate import Evaluation
    from care_training.report import Report
    from care_training.request import Prepared
    from care_training.studies import Outcome
    from care_training.train import Progress


def images(prepared: Prepared) -> None:
    """Print what is trained on, what is held back, and shifts to know of."""
    from care_training.shift import SHIFT

    split = prepared.split
    click.echo(
        f"{len(split.training)} images to train on; held back: "
        + ", ".join(pair.name for pair in split.validation)
    )
    if prepared.degradation is not None:
        click.echo(
            f"lateral planes are blurred by a Gaussian of sigma "
            f"{prepared.degradation.sigma:.2f} pixels, to look like axial ones (--blur)"
        )
        if prepared.degradation.blur is None:
            click.echo(
                "warning: the volumes are too shallow or too noisy to measure how much "
                "wider Z is blurred; planes are assumed to just touch: give --blur",
                err=True,
            )
    if prepared.interpolated:
        _interpolated()
    if not prepared.shifts:
        return
    farthest = max(prepared.shifts, key=lambda shift: shift.distance)
    click.echo(f"largest shift within a pair: {farthest.distance:.1f} pixels")
    for shift in prepared.shifts:
        if shift.distance >= SHIFT:
            pixels = ", ".join(f"{n:+.1f}" for n in shift.pixels)
            click.echo(
                f"warning: the images of {shift.name} are shifted by {pixels} pixels: "
                "register them, or the restoration will be blurred",
                err=True,
            )


def _interpolated() -> None:
    click.echo(
        "planes of the high images lie at those of the low ones and between them; "
        "they are interpolated to where the low images are stretched to, which is from "
        "their first plane to their last"
    )


def model(folder: Path, scores: Mapping[str, Evaluation]) -> None:
    """Print the scores of a model by condition, and how to use it."""
    for condition, found in scores.items():
        if condition:
            click.echo(condition)
        _scores(found)
    click.echo(f"{folder}\n  care-run restore image.tif -m {folder} -o restored.tif")


def assessment(found: Assessment, folder: Path) -> None:
    """Print scores and calibration errors, and what was written."""
    if found.interpolated:
        _interpolated()
    _scores(found.scores)
    for name, curve in found.calibrations.items():
        click.echo(
            f"  calibration error {curve.error:.4f} ({name}; "
            f"{len(curve.confidence)} levels, {curve.pixels} foreground pixels)"
        )
    click.echo(f"{folder / 'report.json'}")
    if found.recalibrated is not None:
        click.echo(f"{found.recalibrated.folder}")


def step(text: str) -> None:
    """Print what is done next."""
    click.echo(text, err=True)


def report(found: Report) -> None:
    """Print the scores of a report by condition, and where it lies."""
    for condition, scores in found.found.evaluations.items():
        if condition:
            click.echo(condition)
        _scores(scores)
    click.echo(f"{found.page}")


def study(found: Outcome, file: Path) -> None:
    """Print the table of a study, and where it lies."""
    from care_training.studies import figure

    heads, rows = figure.table(found)
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    for row in (heads, *rows):
        cells = (cell.ljust(n) for cell, n in zip(row, widths, strict=True))
        click.echo("  " + "   ".join(cells).rstrip())
    click.echo(f"{file}")


def _scores(scores: Evaluation) -> None:
    from care_training.evaluate import digits

    for name, row in scores.rows.items():
        found = scores.more.get(name, {})
        more = "".join(f"   {k} {v:.{digits(k)}f}" for k, v in found.items())
        click.echo(
            f"  {name:26} PSNR {row.psnr:5.2f} dB   NRMSE {row.nrmse:.4f}   "
            f"SSIM {row.ssim:.3f}{more}"
        )


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """Show loss, validation PSNR and time left; in a pipe, a line a validation."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    if not sys.stderr.isatty():
        yield _Lines()
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("")

        def update(state: Progress) -> None:
            done = state.member * state.steps + state.step
            total = state.members * state.steps
            bar.update(task, completed=done, total=total, description=_state(state))

        yield update


class _Lines:
    """Prints a line when the validation has changed."""

    def __init__(self) -> None:
        self._last: float | None = None

    def __call__(self, state: Progress) -> None:
        found = state.validation_psnr
        if not math.isnan(found) and found != self._last:
            click.echo(f"{state.step}/{state.steps} {_state(state)}", err=True)
            self._last = found


def _state(state: Progress) -> str:
    minutes, seconds = divmod(int(state.seconds_left), 60)
    member = f"network {state.member + 1} of {state.members}  "
    return (member if state.members > 1 else "") + (
        f"loss {state.loss:.4f}  validation {state.validation_psnr:.2f} dB  "
        f"left {minutes}:{seconds:02d}"
    )
