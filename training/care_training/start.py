"""Start: the model that a training starts from, and whether it fits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from care_runtime.errors import OptionError, TrainingError
from care_training import export, networks
from care_training.ensemble import EnsembleConfig
from care_training.projection import ProjectionConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_runtime.package import Package
    from care_training.form import Form
    from care_training.networks import Config


def architecture(
    asked: Config, changed: Mapping[str, int], init: Package | None
) -> Config:
    """Decide the architecture: that of the model to start from, or as asked for.

    Parameters
    ----------
    asked
        What images and options need.
    changed
        Values of it that were asked for by themselves.
    init
        Model to start from, or None.

    Raises
    ------
    OptionError
        If the architecture of that model would have to change.
    TrainingError
        If it does something else than what is asked for.
    """
    if init is None:
        return asked
    if changed:
        names = ", ".join(f"--{name}" for name in changed)
        msg = f"{names} cannot change the network of --init: leave one of them out"
        raise OptionError(msg)
    found = networks.untuned(networks.read(export.read_config(init)))
    forms = [networks.form(each) for each in (asked, found)]
    needs, has = (_words(form) for form in forms)
    wrong = [name for name, value in has.items() if needs[name] != value]
    if wrong:
        wanted, found_ = (
            ", ".join(f"{name} {words[name]}" for name in wrong)
            for words in (needs, has)
        )
        msg = (
            f"the images and options need a network with {wanted}, but that of --init "
            f"has {found_}: start from another model, or change the options"
        )
        raise TrainingError(msg)
    config: Config = _showing(found, asked)
    return config


def _showing(found: Any, asked: Any) -> Any:
    """Take the height map that is asked for, which has no weights."""
    if isinstance(found, EnsembleConfig):
        return replace(found, member=_showing(found.member, asked.member))
    if isinstance(found, ProjectionConfig):
        return replace(found, height=asked.height)
    return found


def _words(form: Form) -> dict[str, str]:
    """Say what a network is, in which it cannot change; a height map has no weights."""
    outputs = [name for name in form.outputs if name != "height"]
    return {
        "input axes": form.space.upper(),
        "output axes": form.restored.upper(),
        "input channels": str(form.channels_in),
        "output channels": str(form.channels_out),
        "outputs (--probabilistic)": ", ".join(outputs),
        "members (--ensemble)": str(form.members),
    }
