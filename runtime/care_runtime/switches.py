"""Switches: options that several commands of care-run share."""

from __future__ import annotations

from typing import Any

import click

DEVICE = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto, cpu, cuda, cuda:N, or several GPUs as cuda:0,1.",
)
PRECISION = click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "fp16", "bf16"]),
    default="auto",
    show_default=True,
    help="auto is fp16 on a GPU where the model has it, else fp32; bf16 is for CPUs "
    "that have it, with OpenVINO.",
)
ENGINE = click.option(
    "--engine",
    default="auto",
    show_default=True,
    help="auto, onnxruntime, or openvino on a CPU.",
)
THREADS = click.option("--threads", default=0, help="Of a CPU; else all its cores.")
ZOO = click.option("--zoo", help="Folder or address of a zoo (or set CARE_ZOO).")
KEY = click.option(
    "--key",
    help="Public key of that zoo, or its file (or set CARE_ZOO_KEY): its lists have "
    "to be signed with it.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON.")


def elsewhere_or_later(command: Any) -> Any:
    """Add the options of `runner` and `watch`: dask, watch, settle and interval."""
    for option in (
        click.option(
            "--interval",
            default=2.0,
            show_default=True,
            help="Seconds between two looks at a watched folder.",
        ),
        click.option(
            "--settle",
            default=10.0,
            show_default=True,
            help="Seconds without change after which a watched image may be complete.",
        ),
        click.option(
            "--watch",
            is_flag=True,
            help="Restore the images of a folder as they come, until Ctrl-C.",
        ),
        click.option(
            "--dask",
            metavar="ADDRESS|local:N",
            help="Restore OME-Zarr by workers of dask, or by N of this machine.",
        ),
    ):
        command = option(command)
    return command
