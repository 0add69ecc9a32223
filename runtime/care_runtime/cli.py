"""care-run: the command line. It parses, calls and reports; it decides nothing."""

from __future__ import annotations

import sys

import click

from care_runtime import __version__, modelcli, restorecli
from care_runtime.commands import Commands
from care_runtime.errors import AxesError, ImageError
from care_runtime.switches import DEVICE, ENGINE, JSON, KEY, PRECISION, THREADS, ZOO


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="care-run")
def main() -> None:
    """Restore fluorescence microscopy images with CARE models.

    MODEL is a name of the zoo (care-run list), NAME@VERSION, a package folder, a zip,
    an rdf.yaml or the address of a zip.
    """


for command in (*modelcli.COMMANDS, restorecli.restore):
    main.add_command(command)


@main.command()
@click.option("--input", "own", help="Your own image, in place of the sample.")
@click.option("--axes", help="Axes of your image, if its file does not name them.")
@click.option("-o", "--output", default=".", show_default=True, help="Folder.")
@DEVICE
def demo(own: str | None, axes: str | None, output: str, device: str) -> None:
    """Restore a simulated sample, and compare it with the truth; needs no network."""
    import care_runtime
    from care_runtime import demo as demo_
    from care_runtime import reading, report

    folder, own_one = reading.local(output), None
    if own is not None:
        place = reading.place(own)
        demo_.require_apart(place, folder)
        own_one = reading.read(place, axes), None
    restorer = care_runtime.load(demo_.MODEL, device=device)
    low, truth = own_one or demo_.sample()
    try:
        shown = demo_.show(restorer, low, truth, folder)
    except (ImageError, AxesError) as error:
        msg = f"{own or 'the sample'}: {error}"
        raise type(error)(msg) from None
    report.shown(shown, restorer.provenance)


@main.command()
@click.argument("model")
@click.option("--outputs", help="As mean: verify the network that gives these alone.")
@DEVICE
@PRECISION
@ENGINE
@THREADS
@ZOO
@KEY
@JSON
def verify(
    model: str,
    outputs: str | None,
    device: str,
    precision: str,
    engine: str,
    threads: int,
    zoo: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Run the test tensors of MODEL, and compare tiled with whole.

    One network is verified, that which gives the --outputs (all of them) in --precision
    on --device; what is printed says which it was. On a GPU it is the one in half
    precision where the model has it, with a tolerance of 1e-2 of the range in place of
    1e-3: verify with --precision fp32 as well. That of bf16 is 5e-2. Grey values of
    others that are whole numbers may differ by one. An ensemble has a network of its
    own for --outputs mean, which is what restore takes.
    """
    from dataclasses import replace

    from care_runtime import precision as precision_
    from care_runtime import report, store
    from care_runtime import verify as verify_

    package = store.locate(model, zoo=zoo, key=key)
    spec = package.spec
    if outputs is not None:
        spec = spec.only([name.strip() for name in outputs.split(",")])
    network, path, numbers = precision_.load(
        package,
        [tensor.id for tensor in spec.outputs],
        precision,
        device,
        engine=engine,
        threads=threads,
        exact=True,
    )
    found = verify_.verify(replace(package, spec=spec), network, numbers)
    found = replace(found, network=path.name)
    report.verified(model, found, as_json=as_json)
    if not found.passed:
        sys.exit(1)


@main.command()
@JSON
def doctor(as_json: bool) -> None:
    """Look at what is installed, and say what mends it; exit code 1 if anything fails.

    It needs no network and changes nothing.
    """
    from care_runtime import doctor as doctor_
    from care_runtime import report

    findings = doctor_.examine()
    healthy = all(finding.status != "fault" for finding in findings)
    report.examined(findings, healthy=healthy, as_json=as_json)
    if not healthy:
        sys.exit(1)
