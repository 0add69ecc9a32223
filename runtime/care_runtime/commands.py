"""Commands: a click group that turns errors into one line and an exit code."""

from __future__ import annotations

import io
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from care_runtime import streams
from care_runtime.errors import (
    CareError,
    DeviceWarning,
    ModelNotFoundError,
    OptionError,
    SourceWarning,
)
from care_runtime.plain import line

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes; the last is that of Ctrl-C."""

TOLD = (DeviceWarning, SourceWarning)
"""Warnings that are told in a line each."""


class Commands(click.Group):
    """A group whose commands may raise `CareError`."""

    def main(self, *args: Any, **more: Any) -> Any:
        """Run the command line; tell in one line where nothing can be printed."""
        try:
            return super().main(*args, **more)
        except OSError as error:
            streams.leave()
            told = (
                "error: expected to read and to print, found that the system refuses "
                f"it ({error.strerror or error}): check where standard output goes"
            )
            click.echo(line(told), err=True)
            sys.exit(FAILED)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; tell an error in one line and exit."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
                # Else a name that a terminal has no signs for would end a batch.
                stream.reconfigure(errors="backslashreplace")
        try:
            with _told():
                return super().invoke(ctx)
        except CareError as error:
            click.echo(line(f"error: {error}"), err=True)
            usage = isinstance(error, ModelNotFoundError | OptionError)
            ctx.exit(USAGE if usage else FAILED)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except OSError as error:
            if not error.filename:  # of standard output; click knows a reader's end
                raise
            told = (
                f"error: expected to reach {error.filename!r}, found that the system "
                f"refuses it ({error.strerror}): check its name and permissions"
            )
            click.echo(line(told), err=True)
            ctx.exit(FAILED)


@contextmanager
def _told() -> Iterator[None]:
    """Tell in one line each when another device or source of models was taken."""
    shown = warnings.showwarning

    def show(message: Any, category: Any, *place: Any, **more: Any) -> None:
        if issubclass(category, TOLD):
            click.echo(f"warning: {line(str(message))}", err=True)
        else:
            shown(message, category, *place, **more)

    with warnings.catch_warnings():
        for kind in TOLD:
            warnings.simplefilter("always", kind)
        warnings.showwarning = show
        yield
