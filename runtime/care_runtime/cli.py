"""care-run: the command line. It parses, calls and reports; it decides nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from care_runtime import __version__
from care_runtime.commands import Commands

DEVICE = click.option(
    "--device", default="auto", help="auto, cpu, cuda or cuda:N.", show_default=True
)
ZOO = click.option("--zoo", help="Folder or address of a zoo (or set CARE_ZOO).")
JSON = click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON.")


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="care-run")
def main() -> None:
    """Restore fluorescence microscopy images with CARE models.

    MODEL is a name of the zoo (care-run list), a package folder, a zip, an rdf.yaml or
    the address of a zip.
    """


@main.command("list")
@JSON
def list_(as_json: bool) -> None:
    """List the models of the zoo."""
    from care_runtime import report, store

    report.models(list(store.registry().values()), as_json=as_json)


@main.command()
@click.argument("model")
@ZOO
@JSON
def info(model: str, zoo: str | None, as_json: bool) -> None:
    """Tell what MODEL is, what it was trained on and what it needs."""
    from care_runtime import report, store

    report.model(store.locate(model, zoo=zoo), as_json=as_json)


@main.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@ZOO
def fetch(models: tuple[str, ...], zoo: str | None) -> None:
    """Fetch each MODEL into the cache, so that it runs without a network."""
    from care_runtime import report, store

    for model in models:
        package = store.locate(model, zoo=zoo, progress=report.download_bar(model))
        click.echo(f"{model}: {package.folder}")


@main.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("-m", "--model", required=True, help="Name, package, zip or address.")
@click.option("-o", "--output", required=True, help="File for one image, else folder.")
@click.option("--axes", help="Letters of STCZYX, if the file does not name them.")
@click.option(
    "--normalize",
    default="auto",
    show_default=True,
    help="auto, none, percentiles LOW,HIGH or grey values values:LOW,HIGH.",
)
@DEVICE
@click.option("--tile", help="Kept pixels of a tile: N, Y,X or Z,Y,X; or whole.")
@click.option("--dtype", default="auto", show_default=True, help="auto or a type.")
@click.option("--factor", type=float, help="Stretching of Z; else by the voxel sizes.")
@click.option("--outputs", default="mean", show_default=True, help="As mean,scale.")
@click.option("--confidence", type=float, help="Bounds lower and upper, as 0.9.")
@click.option("--samples", default=0, help="Random draws, as stack and GIF.")
@click.option("--seed", default=0, help="Of the draws.")
@click.option("--flag", type=float, help="Mask where the disagreement exceeds it.")
@click.option("--flag-scale", type=float, help="... or the relative scale exceeds it.")
@click.option("--join", is_flag=True, help="All outputs as channels of one file.")
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@ZOO
@JSON
def restore(
    inputs: tuple[str, ...],
    model: str,
    output: str,
    device: str,
    zoo: str | None,
    as_json: bool,
    outputs: str,
    **options: Any,
) -> None:
    """Restore each INPUT: TIFF files, or folders of them.

    The first of --outputs goes to --output, others beside it, as NAME_scale.ome.tif.
    """
    import care_runtime
    from care_runtime import batch, report, store
    from care_runtime.trust import Trust

    named = tuple(name.strip() for name in outputs.split(","))
    asked = ("confidence", "samples", "seed", "flag", "flag_scale")
    trust = Trust(**{name: options.pop(name) for name in asked})
    chosen = batch.Options(outputs=named, trust=trust, **options)
    files = batch.sources([Path(name) for name in inputs])
    places = batch.targets(files, Path(output))
    package = store.locate(model, zoo=zoo)
    needed = chosen.needs(package.spec)
    batch.check(package.spec, files, places, chosen)
    restorer = care_runtime.load(package, device=device, outputs=needed)
    results = []
    for file, place in zip(files, places, strict=True):
        with report.progress_bar(file.name) as progress:
            results.append(batch.run(restorer, file, place, chosen, progress))
        if not as_json:
            report.result(results[-1])
    if as_json:
        report.summary(results, restorer.provenance)
    if any(result.status == "failed" for result in results):
        sys.exit(1)


@main.command()
@click.option("--input", "own", help="Your own image, in place of the sample.")
@click.option("--axes", help="Axes of your image, if its file does not name them.")
@click.option("-o", "--output", default=".", show_default=True, help="Folder.")
@DEVICE
def demo(own: str | None, axes: str | None, output: str, device: str) -> None:
    """Restore a simulated sample, and compare it with the truth; needs no network."""
    import care_runtime
    from care_runtime import demo as demo_
    from care_runtime import report, tiff

    restorer = care_runtime.load(demo_.MODEL, device=device)
    low, truth = (tiff.read(Path(own), axes), None) if own else demo_.sample()
    report.shown(demo_.show(restorer, low, truth, Path(output)), restorer.provenance)


@main.command()
@click.argument("model")
@DEVICE
@ZOO
@JSON
def verify(model: str, device: str, zoo: str | None, as_json: bool) -> None:
    """Run the test tensors of MODEL, and compare tiled with whole."""
    from care_runtime import report, store
    from care_runtime import verify as verify_
    from care_runtime.engine import Engine

    package = store.locate(model, zoo=zoo)
    found = verify_.verify(package, Engine(package.onnx, device, exact=True))
    report.verified(model, found, as_json=as_json)
    if not found.passed:
        sys.exit(1)
