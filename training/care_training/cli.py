"""care-train: the command line of the training side."""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from care_runtime import __version__
from care_runtime.commands import FAILED, Commands
from care_runtime.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from care_training.evaluate import Evaluation
    from care_training.train import Progress

FOLDER = click.Path(path_type=Path)


class _Commands(Commands):
    """Tells also which extra is missing."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            click.echo(f"error: {_extra(error)}", err=True)
            ctx.exit(FAILED)


def _extra(error: ModuleNotFoundError) -> str:
    return (
        f"care-train needs {error.name}, which is not installed: install the extra "
        "with pip install 'care-zoo[training]'"
    )


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="care-train")
def main() -> None:
    """Train CARE networks and export them as packages for care-run."""


def _compute(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where to train."""
    for option in (
        click.option("--workers", default=0, help="Processes that cut patches."),
        click.option(
            "--precision",
            type=click.Choice(["auto", "fp32", "bf16"]),
            default="auto",
            show_default=True,
            help="auto is bf16 on CUDA, else fp32.",
        ),
        click.option("--device", default="cpu", show_default=True, help="cpu or cuda."),
        click.option("--seed", type=int, help="Of weights and patches."),
        click.option("--batch", type=int, help="Patches in a step."),
        click.option("--steps", type=int, help="Optimizer steps."),
    ):
        command = option(command)
    return command


@main.command()
@click.option("--low", type=FOLDER, required=True, help="Folder of noisy images.")
@click.option("--high", type=FOLDER, required=True, help="Folder of their targets.")
@click.option("--axes", required=True, help="Of every image, as ZYX; with Z in 3-D.")
@click.option("--name", required=True, help="Of the model.")
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder.")
@click.option("--init", help="Model to start from: a package of care-train.")
@click.option("--recipe", default="default", show_default=True, help="Or paper.")
@click.option("--depth", type=int, help="Poolings of the U-Net; 2 in the paper.")
@click.option("--kernel", type=int, help="Kernel width; 5 in 2-D, 3 in 3-D.")
@click.option("--filters", type=int, help="Filters of the first level; 32.")
@click.option("--patch", help="Patch in pixels, as 128,128 or 16,64,64.")
@click.option(
    "--fresh-noise",
    type=click.FloatRange(0, 1),
    help="Share of patches with noise drawn anew; for few images from a camera.",
)
@_compute
def fit(
    low: Path,
    high: Path,
    axes: str,
    name: str,
    output: Path,
    init: str | None,
    recipe: str,
    patch: str | None,
    device: str,
    precision: str,
    workers: int,
    **numbers: Any,
) -> None:
    """Train a model on image pairs of your own, and export it.

    The images of --low and --high are paired by name and show the same fields. Some are
    held back to score the model. A run that was stopped goes on from its checkpoint.
    """
    from care_training import own
    from care_training.fit import Compute
    from care_training.recipe import get_recipe

    changes = {key: value for key, value in numbers.items() if value is not None}
    shape = {k: changes.pop(k) for k in ("depth", "kernel", "filters") if k in changes}
    if patch:
        changes["patch"] = _sizes(patch)
    request = own.Request(
        low,
        high,
        axes.upper(),
        name,
        output,
        get_recipe(recipe, **changes),
        Compute(device, precision, workers),
        init,
        shape,
    )
    prepared = own.prepare(request)
    _report_images(prepared)
    with _progress() as progress:
        package, scores = own.train(request, prepared, progress)
    _report_model(package.folder, scores)


@main.command()
@click.argument("name")
@click.option("--data", type=FOLDER, required=True, help="Folder of the images.")
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder.")
@click.option("--quick", is_flag=True, help="Only show that all of it works.")
@_compute
def run(
    name: str,
    data: Path,
    output: Path,
    quick: bool,
    device: str,
    precision: str,
    workers: int,
    **numbers: Any,
) -> None:
    """Train the model NAME of the zoo as its experiment says."""
    from care_training import reproduce
    from care_training.fit import Compute

    found = reproduce.experiment(name)
    recipe = reproduce.quick(found.recipe) if quick else found.recipe
    recipe = replace(recipe, **{k: v for k, v in numbers.items() if v is not None})
    compute = Compute(device, precision, workers)
    with _progress() as progress:
        made = reproduce.reproduce(found, recipe, data, output, compute, progress)
    _report_model(made[0].folder, made[1])


@main.command("list")
def list_() -> None:
    """List the experiments."""
    from care_training import reproduce
    from care_training.experiments import NAMES

    for name in NAMES:
        click.echo(f"{name}  {reproduce.reviewed_spec(name).description}")


@main.command("import-csbdeep")
@click.argument("folder", metavar="MODELDIR", type=FOLDER)
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder.")
@click.option("--class", "kind", default="CARE", show_default=True, help="Of CSBDeep.")
@click.option("--factor", type=float, help="Of an upsampling or isotropic model.")
@click.option("--percentiles", default="2,99.8", show_default=True, help="LOW,HIGH.")
def import_csbdeep(
    folder: Path, output: Path, kind: str, factor: float | None, percentiles: str
) -> None:
    """Turn the CSBDeep model in MODELDIR into a package, without TensorFlow."""
    from care_training import csbdeep

    low, high = _numbers(percentiles, 2)
    model = csbdeep.read(folder, kind)
    package = csbdeep.convert(model, output, (low, high), factor)
    click.echo(
        f"{package.folder}\n  care-run restore image.tif -m {package.folder} -o out.tif"
    )


@main.command()
@click.argument("package", type=FOLDER)
def add(package: Path) -> None:
    """Place PACKAGE in the zoo of the checkout, with its line in the registry."""
    from care_training import zoo

    entry = zoo.add(package)
    click.echo(f"{entry.file} sha256:{entry.sha256}")


def _report_images(prepared: Any) -> None:
    from care_training.folders import SHIFT

    split = prepared.split
    click.echo(
        f"{len(split.training)} images to train on; held back: "
        + ", ".join(pair.name for pair in split.validation)
    )
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


def _report_model(folder: Path, scores: Evaluation) -> None:
    for name, row in scores.rows.items():
        click.echo(
            f"  {name:20} PSNR {row.psnr:5.2f} dB   NRMSE {row.nrmse:.4f}   "
            f"SSIM {row.ssim:.3f}"
        )
    click.echo(f"{folder}\n  care-run restore image.tif -m {folder} -o restored.tif")


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
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
            text = _state(state)
            bar.update(task, completed=state.step, total=state.steps, description=text)

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
    return (
        f"loss {state.loss:.4f}  validation {state.validation_psnr:.2f} dB  "
        f"left {minutes}:{seconds:02d}"
    )


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in _numbers(text, text.count(",") + 1))


def _numbers(text: str, count: int) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != count:
        msg = f"expected {count} numbers with commas between them, found {text!r}"
        raise OptionError(msg)
    return found
