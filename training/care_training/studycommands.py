"""Studycommands: what care-train does to compare networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from care_runtime.errors import OptionError
from care_training import options, show

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("name")
@click.argument("study", metavar="STUDY")
@click.option("-o", "--output", type=options.FOLDER, required=True, help="Folder.")
@click.option("--data", type=options.FOLDER, help="Folder of the images.")
@click.option("--model", help="Of tracking: name or package.  [default: NAME]")
@click.option("--steps", type=int, help="Optimizer steps of every network.")
@click.option("--batch", type=int, help="Patches in a step.")
@click.option("--patch", help="Patch in pixels, as 128,128 or 16,64,64.")
@click.option("--seeds", default="0,1", show_default=True, help="Numbers with commas.")
@click.option("--images", type=int, help="Test images of each condition, at most.")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    show_default=True,
    help="auto is bf16 on CUDA, else fp32.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Processes that draw images and patches; 0, and 4 on CUDA.",
)
@click.option("--quick", is_flag=True, help="Only show that all of it works.")
def study(
    name: str,
    study: str,
    output: Path,
    data: Path | None,
    model: str | None,
    steps: int | None,
    batch: int | None,
    patch: str | None,
    seeds: str,
    images: int | None,
    device: str,
    precision: str,
    workers: int | None,
    quick: bool,
) -> None:
    """Compare networks of the experiment NAME, as a figure of the paper does.

    STUDY is patches (scores against their number), factors (against the distance of
    planes; isotropic_liver), channels (together or one by one; isotropic_retina) or
    tracking (cells of a projected movie; project_flywing). Results are written to
    OUTPUT/NAME.studies, which care-train evaluate NAME shows if it lies beside the
    package, or in its own output. A study that was stopped goes on.
    """
    from care_training import reproduce, studies
    from care_training.compute import Compute

    found = reproduce.experiment(name)
    setting = studies.Setting(
        reproduce.quick(found) if quick else found,
        output,
        data,
        steps,
        batch,
        options.sizes(patch) if patch else (),
        numbers(seeds),
        Compute(device, precision, workers),
        images,
        quick,
        model,
    )
    outcome, file = studies.conduct(study, setting, show.step)
    show.study(outcome, file)


def numbers(text: str) -> tuple[int, ...]:
    """Read whole numbers with commas between them.

    Raises
    ------
    OptionError
        If they are none.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        msg = f"expected whole numbers with commas between them, found {text!r}"
        raise OptionError(msg) from None
