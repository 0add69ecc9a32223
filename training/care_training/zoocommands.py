"""Zoocommands: what care-train does with packages that are made."""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile
from typing import TYPE_CHECKING

import click

from care_runtime.errors import OptionError
from care_training import options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@click.command()
@click.argument("package", type=options.FOLDER)
def add(package: Path) -> None:
    """Place PACKAGE in the zoo of the checkout, with its line in the registry."""
    from care_training import zoo

    entry = zoo.add(package)
    click.echo(f"{entry.file} sha256:{entry.sha256}")


WEB_ASSETS = click.option(
    "--web-assets",
    type=options.FOLDER,
    help="Folder dist of onnxruntime-web from npm, to try models in the browser.",
)


@click.command()
@click.argument("folder", metavar="DIR", type=options.FOLDER)
@click.argument("packages", metavar="[PACKAGE]...", nargs=-1, type=options.FOLDER)
@WEB_ASSETS
@click.option(
    "--sign",
    type=click.Path(path_type=pathlib.Path, dir_okay=False),
    help="Sign the lists with this secret key (care-train key, or minisign -G).",
)
@click.option(
    "--fp16",
    is_flag=True,
    help="Add networks in half precision for GPUs, if they do the same.",
)
@click.option("--version", help="X.Y.Z that each PACKAGE gets, instead of its own.")
def publish(
    folder: Path,
    packages: tuple[Path, ...],
    web_assets: Path | None,
    sign: Path | None,
    fp16: bool,
    version: str | None,
) -> None:
    """Lay out the zoo in DIR for any web server, or add each PACKAGE to it.

    Without a PACKAGE, all models of the checkout are published. What was published once
    is never replaced: a model that was trained again needs a newer --version. The
    gallery, index.html, shows the models of this call. Packages of --fp16 have a
    version of their own, as 1.0.0+fp16, and need a truth beside their sample, on which
    both networks are compared.
    """
    from care_runtime.package import read_folder
    from care_training import gallery, zoo
    from care_training import publish as publish_

    if version is not None:
        _require_version(version, packages)
    chosen = packages or zoo.packages()
    signer = _signer(sign) if sign else None
    with tempfile.TemporaryDirectory() as scratch:
        laid: Sequence[Path] = chosen
        if version is not None:
            laid = _renewed(laid, pathlib.Path(scratch), version)
        if fp16:
            laid = _halved(laid, pathlib.Path(scratch))
        models = publish_.publish(folder, laid, signer)
        shown = [read_folder(place) for place in laid if place.is_dir()]
        gallery.write(shown, folder, web_assets=web_assets)
    for model in models:
        click.echo(f"{model.file} sha256:{model.sha256}")
    click.echo(f"{folder}: {len(models)} package(s); serve it, and give --zoo ADDRESS")


def _require_version(version: str, packages: Sequence[Path]) -> None:
    """Refuse a version that is none, or that the whole checkout would get."""
    from care_training import edition

    edition.require_version(version)
    if not packages:
        msg = "expected a PACKAGE that gets the --version, found none: name its folder"
        raise OptionError(msg)


def _renewed(packages: Sequence[Path], scratch: Path, version: str) -> list[Path]:
    """Copy packages, and give them another version."""
    from care_training import edition

    return [
        edition.renew(place, scratch / str(i) / place.resolve().name, version).folder
        for i, place in enumerate(packages)
    ]


def _halved(packages: Sequence[Path], scratch: Path) -> list[Path]:
    """Copy packages, and give each its networks in half precision."""
    from care_training import half

    made = []
    for place in packages:
        found, known = half.add(place, scratch / place.resolve().name)
        made.append(found.folder)
        for name, agreement in known.items():
            click.echo(f"{found.folder.name}: {name} {agreement}")
    return made


def _signer(path: Path) -> Callable[[bytes], bytes]:
    """Open a secret key; its password is asked for, if it has one."""
    from care_training import keys

    def password() -> str:
        return _asked(f"Password of {path}", f"set {keys.PASSWORD}")

    return keys.signer(path, password)


def _asked(question: str, otherwise: str, *, twice: bool = False) -> str:
    """Ask for a password, or read it where there is no terminal.

    Raises
    ------
    OptionError
        If there is nothing to read.
    """
    if _terminal():
        return str(
            click.prompt(question, hide_input=True, confirmation_prompt=twice, err=True)
        )
    answer = sys.stdin.readline().rstrip("\r\n")
    if not answer:
        msg = f"expected a terminal to ask for a password, found none: {otherwise}"
        raise OptionError(msg)
    return answer


def _terminal() -> bool:
    """Tell whether a person can be asked, who need not be behind the standard input."""
    if sys.stdin.isatty():
        return True
    try:
        with pathlib.Path("/dev/tty").open("rb"):
            return True
    except OSError:
        return False


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=pathlib.Path))
@click.option("--no-password", is_flag=True, help="For machines; guard the file well.")
def key(path: Path, no_password: bool) -> None:
    """Make a key to sign zoos with: the secret one in FILE, the public in FILE.pub.

    Keys and signatures are those of minisign.
    """
    from care_training import keys

    password = ""
    if not no_password and not (password := os.environ.get(keys.PASSWORD, "")):
        way = f"set {keys.PASSWORD}, or give --no-password"
        password = _asked("Password for it", way, twice=True)
    public = keys.make(path, password)
    click.echo(f"{path}: keep it secret. Give everybody the public key, with the zoo:")
    click.echo(f"CARE_ZOO_KEY={public}")


@click.command("gallery")
@click.argument("folder", metavar="DIR", type=options.FOLDER)
@click.option(
    "--models", multiple=True, help="Names or packages, once for each; else the zoo's."
)
@WEB_ASSETS
def show_gallery(
    folder: Path, models: tuple[str, ...], web_assets: Path | None
) -> None:
    """Write a web page of models into DIR; it needs no server and no network."""
    from care_runtime import store
    from care_training import gallery

    names = models or tuple(store.names())
    gallery.write([store.locate(name) for name in names], folder, web_assets=web_assets)
    click.echo(f"{folder / 'index.html'}  {len(names)} models")
