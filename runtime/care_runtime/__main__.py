"""Lets ``python -m care_runtime`` stand for ``care-run``."""

from care_runtime.cli import main

main(prog_name="care-run")
