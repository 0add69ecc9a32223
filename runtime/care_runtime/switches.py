"""Switches: options that several commands of care-run share."""

from __future__ import annotations

import click

DEVICE = click.option(
    "--device", default="auto", help="auto, cpu, cuda or cuda:N.", show_default=True
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
