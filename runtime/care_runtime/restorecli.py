"""The command ``care-run restore``."""

from __future__ import annotations

import functools
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from care_runtime.commands import INTERRUPTED
from care_runtime.errors import OptionError
from care_runtime.switches import (
    DEVICE,
    ENGINE,
    JSON,
    KEY,
    PRECISION,
    THREADS,
    ZOO,
    elsewhere_or_later,
)

if TYPE_CHECKING:
    from care_runtime.batch import Options, Result
    from care_runtime.mixed import Mixed
    from care_runtime.package import Package
    from care_runtime.reading import Place
    from care_runtime.restore import Restorer
    from care_runtime.runner import Where

SELECTED = ("series", "channel", "time", "z", "crop", "average")
"""Options that say what of a file is restored."""


@click.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option(
    "-m",
    "--model",
    "models",
    required=True,
    multiple=True,
    help="Name, package, zip or address; or CHANNEL=MODEL once for each channel.",
)
@click.option("-o", "--output", required=True, help="File for one image, else folder.")
@click.option(
    "--input",
    "further",
    metavar="ID=IMAGE",
    multiple=True,
    help="Image of a further input of the model, or folder with one for each INPUT.",
)
@click.option("--axes", help="Letters of STCZYX, if the file does not name them.")
@click.option("--series", help="Number or name of the image, if a file holds several.")
@click.option("--channel", help="Channels to restore, by number or name: 0,GFP.")
@click.option("--time", help="Time points from A up to B: A:B, counted from 0.")
@click.option(
    "--average",
    type=click.IntRange(1),
    default=1,
    help="Frames of a movie that become one.",
)
@click.option("--z", help="Planes from A up to B: A:B, counted from 0.")
@click.option("--crop", help="Part of the image: Y0:Y1,X0:X1, or with Z0:Z1 first.")
@click.option(
    "--normalize",
    default="auto",
    show_default=True,
    help="auto, none, percentiles LOW,HIGH or grey values values:LOW,HIGH.",
)
@click.option(
    "--normalize-over",
    type=click.Choice(["frame", "movie"]),
    help="Measure percentiles of every time point, or of all; else as the model says.",
)
@DEVICE
@PRECISION
@ENGINE
@THREADS
@click.option("--tile", help="Kept pixels of a tile: N, Y,X or Z,Y,X; or whole.")
@click.option("--dtype", default="auto", show_default=True, help="auto or a type.")
@click.option(
    "--factor",
    type=click.FloatRange(0, min_open=True),
    help="Stretching of Z; else by the voxel sizes.",
)
@click.option("--outputs", default="mean", show_default=True, help="As mean,scale.")
@click.option("--confidence", type=float, help="Bounds lower and upper, as 0.9.")
@click.option("--samples", default=0, help="Random draws, as stack and GIF.")
@click.option("--seed", default=0, help="Of the draws.")
@click.option("--flag", type=float, help="Mask where the disagreement exceeds it.")
@click.option("--flag-scale", type=float, help="... or the relative scale exceeds it.")
@click.option("--join", is_flag=True, help="All outputs as channels of one file.")
@click.option(
    "--compress",
    type=click.Choice(["none", "zlib", "zstd"]),
    help="How TIFF and OME-Zarr are packed.",
)
@click.option("--pyramid", type=int, help="Smaller copies in the file, each by half.")
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option(
    "--resume", is_flag=True, help="Go on where a run stopped; skip what is done."
)
@elsewhere_or_later
@ZOO
@KEY
@JSON
def restore(
    inputs: tuple[str, ...],
    models: tuple[str, ...],
    output: str,
    device: str,
    precision: str,
    engine: str,
    threads: int,
    zoo: str | None,
    key: str | None,
    as_json: bool,
    dask: str | None,
    watch: bool,
    settle: float,
    interval: float,
    **options: Any,
) -> None:
    """Restore each INPUT: images, folders or globs of them, addresses of OME-Zarr.

    Images are TIFF, OME-Zarr, npy, or files of microscopes that bioio reads; - is npy
    from standard input, or to standard output. The first of --outputs goes to
    --output, others beside it, as NAME_scale.ome.tif.

    Images from 256 MB on are read and written tile by tile, on a disk with room for
    the result twice, or three times with CHANNEL=MODEL, and once more for npy in the
    order of Fortran. What needs a whole frame has
    it in memory still: --tile whole, models that read an axis as a whole, other
    people's models with steps that measure frames, and TIFF without --compress or
    --pyramid a plane of the result. After Ctrl-C or a kill, the same command with
    --resume goes on.
    """
    from care_runtime import (
        batch,
        companions,
        finding,
        mixed,
        partial,
        reading,
        report,
        runner,
        store,
        table,
    )
    from care_runtime import result as result_
    from care_runtime import watch as watch_

    wishes, chosen = mixed.parse(models), _chosen(options)
    if chosen.inputs and (dask or watch):
        option = "--dask" if dask else "--watch"
        msg = f"expected no --input with {option}, found both: leave out {option}"
        raise OptionError(msg)
    named, out = [reading.place(name) for name in inputs], reading.local(output)
    folders = watch_.folders(named, out) if watch else ()
    pace = watch_.Pace(interval, settle)
    files = [] if watch else finding.sources(named)
    places = finding.targets(files, out)
    beside = [companions.beside(file, files, chosen.inputs) for file in files]
    if as_json and Path("-") in places:
        msg = "--json and -o - both need standard output: name a file"
        raise OptionError(msg)
    packages = [
        (channel, store.locate(model, zoo=zoo, key=key)) for channel, model in wishes
    ]
    if len(packages) == 1:
        chosen = chosen.meant(packages[0][1].spec)
    companions.require([package.spec for _, package in packages], chosen)
    others = [place for each in beside for place in each.values()]
    for _, package in packages:
        chosen.needs(package.spec)
        batch.check(package.spec, files, places, chosen, others)
    show = (lambda result: None) if as_json else report.result
    where = runner.Where(device, engine, threads, precision)
    load = functools.partial(_loaded, packages, chosen, where)
    far = runner.Far(dask, where) if dask else None
    with runner.opened(load, far, packages, files, places, chosen) as run:

        def one(file: Place, place: Path, wish: Options) -> Result:
            with report.progress_bar(finding.name_of(file)) as progress:
                return run.one(file, place, wish, progress)

        results: list[Result] = []
        lost = False
        for file, place, each in zip(files, places, beside, strict=True):
            if lost:
                results.append(result_.unbegun(file, place))
                show(results[-1])
                continue
            try:
                results.append(one(file, place, replace(chosen, inputs=each)))
            except KeyboardInterrupt:
                report.interrupted(file, partial.folder_of(place), sys.argv[1:])
                sys.exit(INTERRUPTED)
            show(results[-1])
            lost = results[-1].lost
        if watch:
            watched = watch_.Watch(folders, out, chosen, pace)
            results = watch_.follow(watched, one, show)
    if as_json:
        report.summary(results, run.provenance)
    elif watch or len(results) > 1:
        click.echo("\n".join(table.lines(results)))
    if any(result.status == "failed" for result in results):
        sys.exit(1)


def _chosen(options: dict[str, Any]) -> Options:
    """Read what was asked of a restoration."""
    from care_runtime import companions
    from care_runtime.batch import Options
    from care_runtime.form import Form
    from care_runtime.selection import Selection
    from care_runtime.trust import Trust

    def made(kind: Any, *names: str) -> Any:
        return kind(**{name: options.pop(name) for name in names})

    named = tuple(name.strip() for name in options.pop("outputs").split(","))
    return Options(
        outputs=named,
        trust=made(Trust, "confidence", "samples", "seed", "flag", "flag_scale"),
        selection=made(Selection.parse, *SELECTED),
        form=made(Form, "compress", "pyramid"),
        inputs=companions.parse(options.pop("further")),
        **options,
    )


def _loaded(
    packages: list[tuple[int | str | None, Package]],
    chosen: Options,
    where: Where,
) -> Restorer | Mixed:
    """Load the model, or one for each channel."""
    import care_runtime
    from care_runtime.mixed import Mixed

    found = [
        (
            channel,
            care_runtime.load(
                package,
                device=where.device,
                engine=where.engine,
                threads=where.threads,
                precision=where.precision,
                outputs=chosen.needs(package.spec),
                sharing=len(packages),
            ),
        )
        for channel, package in packages
    ]
    if found[0][0] is None:
        return found[0][1]
    return Mixed(tuple((c, restorer) for c, restorer in found if c is not None))
