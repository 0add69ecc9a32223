"""Zoocommands: what care-train does with packages that are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from care_training import options

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("package", type=options.FOLDER)
def add(package: Path) -> None:
    """Place PACKAGE in the zoo of the checkout, with its line in the registry."""
    from care_training import zoo

    entry = zoo.add(package)
    click.echo(f"{entry.file} sha256:{entry.sha256}")


@click.command()
@click.argument("folder", metavar="DIR", type=options.FOLDER)
@click.argument("packages", metavar="[PACKAGE]...", nargs=-1, type=options.FOLDER)
def publish(folder: Path, packages: tuple[Path, ...]) -> None:
    """Lay out the zoo in DIR for any web server, or add each PACKAGE to it.

    Without a PACKAGE, all models of the checkout are published. What was published once
    is never replaced.
    """
    from care_training import publish as publish_
    from care_training import zoo

    models = publish_.publish(folder, packages or zoo.packages())
    for model in models:
        click.echo(f"{model.file} sha256:{model.sha256}")
    click.echo(f"{folder}: {len(models)} package(s); serve it, and give --zoo ADDRESS")
