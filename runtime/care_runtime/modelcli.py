"""Model commands: what care-run tells of models, and how it fetches and packs them."""

from __future__ import annotations

import sys

import click

from care_runtime.commands import Commands
from care_runtime.errors import FileError, OptionError
from care_runtime.switches import JSON, KEY, ZOO


@click.command("list")
@ZOO
@KEY
@JSON
def list_(zoo: str | None, key: str | None, as_json: bool) -> None:
    """List the models of the zoo."""
    from care_runtime import listing, report

    report.models(listing.models(zoo, key), as_json=as_json)


@click.command()
@click.argument("model")
@ZOO
@KEY
@JSON
def info(model: str, zoo: str | None, key: str | None, as_json: bool) -> None:
    """Tell what MODEL is, what it was trained on and what it needs."""
    from care_runtime import report, store

    report.model(store.locate(model, zoo=zoo, key=key), as_json=as_json)


@click.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All models of the zoo.")
@ZOO
@KEY
def fetch(
    models: tuple[str, ...], every: bool, zoo: str | None, key: str | None
) -> None:
    """Fetch each MODEL into the cache, so that it runs without a network."""
    from care_runtime import report, sources, store

    if every == bool(models):
        given = "both" if every else "neither"
        msg = f"expected models to fetch, or --all, found {given}: see care-run list"
        raise OptionError(msg)
    failed = False
    there = sources.named(zoo, key) if every else zoo  # asked once, and not by each
    for model in store.names(there, key) if every else models:
        try:
            found = store.locate(
                model, zoo=there, key=key, progress=report.download_bar(model)
            )
        except FileError as error:
            failed = True
            click.echo(f"error: {model}: {error}", err=True)
        else:
            click.echo(f"{model}: {found.folder}")
    if failed:
        sys.exit(1)


@click.command()
@click.argument("model")
@click.option("-o", "--output", required=True, help="The zip.")
@click.option("--overwrite", is_flag=True, help="Replace it if it exists.")
@ZOO
@KEY
def package(
    model: str, output: str, overwrite: bool, zoo: str | None, key: str | None
) -> None:
    """Write MODEL as one zip, for other machines and any bioimage.io tool."""
    from care_runtime import bundle, reading, store

    place = reading.local(output)
    found = store.locate(model, zoo=zoo, key=key)
    digest = bundle.bundle(found, place, overwrite=overwrite)
    click.echo(f"{output} sha256:{digest}")


@click.group(cls=Commands)
def cache() -> None:
    """See or empty the folder where fetched models are kept."""


@cache.command("list")
@JSON
def cache_list(as_json: bool) -> None:
    """List what is in the cache."""
    from care_runtime import cache as cache_
    from care_runtime import report

    report.cached(cache_.folder(), cache_.kept(), as_json=as_json)


@cache.command("clean")
@click.argument("models", metavar="[MODEL]...", nargs=-1)
def cache_clean(models: tuple[str, ...]) -> None:
    """Remove the packages of each MODEL from the cache, or all there is."""
    from care_runtime import cache as cache_
    from care_runtime import report

    removed = cache_.clean(models)
    click.echo(f"{len(removed)} removed, {report.size(sum(k.size for k in removed))}")


COMMANDS = (list_, info, fetch, package, cache)
"""In the order of the help."""
