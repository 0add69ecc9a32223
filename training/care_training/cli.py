"""care-train: the command line of the training side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from care_runtime import __version__
from care_runtime.commands import FAILED, Commands
from care_runtime.errors import OptionError
from care_training import options, show, studycommands, zoocommands

if TYPE_CHECKING:
    from pathlib import Path

    from care_training.projection import Height


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


@main.command()
@options.IMAGES
@click.option("--name", required=True, help="Of the model.")
@click.option("-o", "--output", type=options.FOLDER, required=True, help="Folder.")
@options.KIND
@options.NETWORK
@options.COMPUTE
def fit(
    low: Path | None,
    high: Path | None,
    axes: str,
    name: str,
    output: Path,
    isotropic: Path | None,
    factor: float | None,
    blur: float | None,
    recalibrate: bool,
    init: str | None,
    recipe: str,
    patch: str | None,
    device: str,
    precision: str,
    workers: int | None,
    **values: Any,
) -> None:
    """Train a model on images of your own, and export it.

    The images of --low and --high are paired by name and show the same fields. Some are
    held back to score the model. A run that was stopped goes on from its checkpoint.
    """
    from care_training import own
    from care_training.compute import Compute
    from care_training.kind import Kind
    from care_training.recipe import get_recipe
    from care_training.request import Request, prepare

    kind = _taken(
        values, "projection", "height", "upsample", "probabilistic", "ensemble"
    )
    shape = _taken(values, "depth", "kernel", "filters")
    changes = {key: value for key, value in values.items() if value is not None}
    if patch:
        changes["patch"] = options.sizes(patch)
    request = Request(
        _source(low, isotropic, factor, blur),
        high,
        axes.upper(),
        name,
        output,
        get_recipe(recipe, **changes),
        Compute(device, precision, workers),
        init,
        shape,
        Kind(**kind, isotropic=factor),
        blur,
        recalibrate,
    )
    prepared = prepare(request)
    show.images(prepared)
    with show.progress() as progress:
        package, scores = own.train(request, prepared, progress)
    show.model(package.folder, {"": scores})


def _taken(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """Take options out of others, leaving out those that were not given."""
    taken = {name: values.pop(name) for name in names}
    return {name: value for name, value in taken.items() if value is not None}


def _source(
    low: Path | None, isotropic: Path | None, factor: float | None, blur: float | None
) -> Path:
    """Decide which images are learnt from."""
    if (low is None) == (isotropic is None):
        msg = "expected either --low with --high, or --isotropic with volumes"
        raise OptionError(msg)
    if (isotropic is None) != (factor is None):
        msg = "--isotropic needs the --factor of its Z, and no other kind has one"
        raise OptionError(msg)
    if blur is not None and isotropic is None:
        msg = "--blur is that of --isotropic: leave it out"
        raise OptionError(msg)
    source = low or isotropic
    assert source is not None
    return source


@main.command()
@click.argument("name")
@options.SOURCE
@click.option("--data", type=options.FOLDER, help="Folder of the images.")
@click.option("-o", "--output", type=options.FOLDER, required=True, help="Folder.")
@click.option("--quick", is_flag=True, help="Only show that all of it works.")
@options.INIT
@options.COMPUTE
def run(
    name: str,
    source: str,
    data: Path | None,
    output: Path,
    quick: bool,
    init: str | None,
    device: str,
    precision: str,
    workers: int | None,
    **numbers: Any,
) -> None:
    """Train the model NAME of the zoo as its experiment says.

    Its images are drawn; where they are not, --data names their folder. With --source
    published they are the paper's own: the archive is fetched into --data, and once it
    lies there no network is needed. A run that was stopped goes on from its checkpoint;
    --init NAME trains the model of the zoo further.
    """
    from care_runtime import store
    from care_training import reproduce
    from care_training.compute import Compute

    found = reproduce.experiment(name)
    if source == "published":
        found = reproduce.published(found, data or reproduce.own_folder(output))
    found = reproduce.quick(found) if quick else found
    given = {k: v for k, v in numbers.items() if v is not None}
    recipe = replace(found.recipe, **given)
    compute = Compute(device, precision, workers)
    with show.progress() as progress:
        package, scores = reproduce.reproduce(
            found,
            recipe,
            output,
            compute,
            progress,
            data=data,
            init=store.locate(init) if init else None,
        )
    show.model(package.folder, scores)


@main.command()
@click.argument("name")
@options.PAIRS
@click.option("-o", "--output", type=options.FOLDER, required=True, help="Folder.")
@options.TESTS
def evaluate(
    name: str,
    low: Path | None,
    high: Path | None,
    axes: str | None,
    output: Path,
    recalibrate: bool,
    **tests: Any,
) -> None:
    """Score a model on images that it never saw, and say how far to trust it.

    With --low, --high and --axes, NAME is a model or a package, and the images are your
    own. Without them it is an experiment, which has test images: report.html shows
    what its model makes of them.
    """
    given = [word for word in (low, high, axes) if word is not None]
    asked = {k: value for k, value in tests.items() if value not in (None, ())}
    if not given:
        _report(name, output, recalibrate, asked)
        return
    if low is None or high is None or axes is None or asked:
        msg = (
            "expected --low, --high and --axes together, which name images of your "
            "own, without --model, --data, --seed, --images, --baseline and --quick, "
            "which are for the test images of an experiment"
        )
        raise OptionError(msg)
    from care_training import assess

    found = assess.assess(
        name, low, high, axes.upper(), output, recalibrate=recalibrate
    )
    show.assessment(found, output)


def _report(name: str, output: Path, recalibrate: bool, asked: dict[str, Any]) -> None:
    """Report on the test images of an experiment."""
    from care_training.experiments import NAMES
    from care_training.report import Wish, report

    if name not in NAMES:
        msg = (
            f"expected --low, --high and --axes, or the name of an experiment, found "
            f"{name!r}: care-train list shows the experiments; name a package of one "
            "by --model"
        )
        raise OptionError(msg)
    if recalibrate:
        msg = "--recalibrate needs pairs of your own: give --low, --high and --axes"
        raise OptionError(msg)
    found = report(Wish(name, output, **asked), show.step)
    show.report(found)


@main.command("list")
def list_() -> None:
    """List the experiments."""
    from care_training import reproduce
    from care_training.experiments import NAMES

    for name in NAMES:
        click.echo(f"{name}  {reproduce.reviewed_spec(name).description}")


@main.command("import-csbdeep")
@click.argument("folder", metavar="MODELDIR", type=options.FOLDER)
@click.option("-o", "--output", type=options.FOLDER, required=True, help="Folder.")
@click.option("--class", "kind", default="CARE", show_default=True, help="Of CSBDeep.")
@click.option("--factor", type=float, help="Of an upsampling or isotropic model.")
@click.option("--percentiles", default="2,99.8", show_default=True, help="LOW,HIGH.")
@options.HEIGHT
def import_csbdeep(
    folder: Path,
    output: Path,
    kind: str,
    factor: float | None,
    percentiles: str,
    height: Height | None,
) -> None:
    """Turn the CSBDeep model in MODELDIR into a package, without TensorFlow."""
    from care_training import csbdeep

    low, high = options.numbers(percentiles, 2)
    model = csbdeep.read(folder, kind, height or "")
    package = csbdeep.convert(model, output, (low, high), factor)
    click.echo(
        f"{package.folder}\n  care-run restore image.tif -m {package.folder} -o out.tif"
    )


main.add_command(studycommands.study)
main.add_command(zoocommands.add)
main.add_command(zoocommands.publish)
main.add_command(zoocommands.key)
main.add_command(zoocommands.show_gallery)
