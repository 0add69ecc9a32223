"""Packages: those that only some baselines need, imported when they are called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from care_runtime.errors import CareError

if TYPE_CHECKING:
    from types import ModuleType


class MissingPackageError(CareError, ImportError):
    """A baseline needs a package that is not installed."""


def require(package: str, extra: str) -> ModuleType:
    """Import an optional package.

    Parameters
    ----------
    package
        Its name, or that of a module in it.
    extra
        The extra of care-zoo that installs it.

    Raises
    ------
    MissingPackageError
        If it is not installed, or lacks a package itself.
    """
    try:
        return import_module(package)
    except ImportError as error:
        top = package.partition(".")[0]
        missing = (
            "" if error.name in (None, top, package) else f" whole ({error.name} lacks)"
        )
        msg = (
            f"this baseline needs the package {top}, which is not installed{missing}: "
            f"install it with pip install 'care-zoo[{extra}]', or leave it out"
        )
        raise MissingPackageError(msg) from error
