"""Commands: a click group that turns errors into one line and an exit code."""

from __future__ import annotations

from typing import Any

import click

from care_runtime.errors import CareError, ModelNotFoundError, OptionError

FAILED, USAGE = 1, 2


class Commands(click.Group):
    """A group whose commands may raise `CareError`."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; tell an error in one line and exit."""
        try:
            return super().invoke(ctx)
        except CareError as error:
            click.echo(f"error: {' '.join(str(error).split())}", err=True)
            usage = isinstance(error, ModelNotFoundError | OptionError)
            ctx.exit(USAGE if usage else FAILED)
