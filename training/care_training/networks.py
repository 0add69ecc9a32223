"""Networks: from a configuration to a network with seeded weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from care_runtime.errors import TrainingError
from care_training.ensemble import Ensemble, EnsembleConfig
from care_training.isotropic import Isotropic, IsotropicConfig
from care_training.projection import Projection, ProjectionConfig
from care_training.unet import UNet, UNetConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_training.form import Form

Core = UNet | Projection
"""A network that is trained by itself."""

MemberConfig = UNetConfig | ProjectionConfig | IsotropicConfig
Config = MemberConfig | EnsembleConfig
AnyNetwork = Core | Isotropic | Ensemble

KINDS: dict[str, type[MemberConfig]] = {
    "unet": UNetConfig,
    "projection": ProjectionConfig,
    "isotropic": IsotropicConfig,
}


def read(values: Mapping[str, Any]) -> Config:
    """Read a configuration from plain values, such as a package keeps.

    Raises
    ------
    TrainingError
        If it is of no kind that is known here.
    """
    kind = values.get("kind", "unet")
    if kind == "ensemble":
        member: Any = read(values["member"])
        return EnsembleConfig(member, values["members"])
    if kind not in KINDS:
        known = ", ".join([*KINDS, "ensemble"])
        msg = f"expected a network of the kinds {known}, found {kind!r}"
        raise TrainingError(msg)
    return KINDS[kind].from_dict(values)


def build(config: Config, seed: int = 0) -> AnyNetwork:
    """Make a network; member k of an ensemble has the weights of ``seed + k``."""
    if isinstance(config, EnsembleConfig):
        members = [build(config.member, seed + k) for k in range(config.members)]
        return Ensemble(config, list(members))
    torch.manual_seed(seed)
    if isinstance(config, ProjectionConfig):
        return Projection(config)
    return Isotropic(config) if isinstance(config, IsotropicConfig) else UNet(config)


def form(config: Config) -> Form:
    """Say what a network reads and gives back, without making its weights."""
    with torch.device("meta"):
        return build(config).form


def cores(network: AnyNetwork) -> list[Core]:
    """List the parts that are trained one by one."""
    if isinstance(network, Ensemble):
        return [core for member in network.members for core in cores(member)]  # type: ignore[arg-type]
    return [network.unet if isinstance(network, Isotropic) else network]


def unet_config(config: Config) -> UNetConfig:
    """Find the configuration of the U-Net in one of any kind."""
    if isinstance(config, EnsembleConfig):
        return unet_config(config.member)
    return config if isinstance(config, UNetConfig) else config.unet


def with_unet(config: Config, unet: UNetConfig) -> Config:
    """Put another U-Net into a configuration of any kind."""
    if isinstance(config, EnsembleConfig):
        member: Any = with_unet(config.member, unet)
        return replace(config, member=member)
    return unet if isinstance(config, UNetConfig) else replace(config, unet=unet)


def untuned(config: Config) -> Config:
    """Leave out of a configuration what was fitted after training: scales and gains."""
    if isinstance(config, EnsembleConfig):
        member: Any = untuned(config.member)
        return replace(config, member=member)
    if isinstance(config, IsotropicConfig):
        config = replace(config, gains=(), factor=0.0)
    return with_unet(config, replace(unet_config(config), recalibration=1.0))


def planar(network: AnyNetwork) -> AnyNetwork:
    """Take the 2-D network out of an isotropic one; weights are shared."""
    if not isinstance(network, Ensemble):
        return cores(network)[0]
    config = replace(network.config, member=unet_config(network.config))
    return Ensemble(config, list(cores(network)))


def rescaled(network: AnyNetwork, factor: float) -> AnyNetwork:
    """Copy a probabilistic network, with all its scales taken times a factor."""
    unet = unet_config(network.config)
    unet = replace(unet, recalibration=unet.recalibration * factor)
    made = build(with_unet(network.config, unet))
    made.load_state_dict(network.state_dict())
    return made


def sharper(network: AnyNetwork, gains: tuple[float, ...], factor: float) -> AnyNetwork:
    """Copy an isotropic network, with these gains of its detail along Z."""

    def changed(config: Config) -> Config:
        if isinstance(config, EnsembleConfig):
            member: Any = changed(config.member)
            return replace(config, member=member)
        assert isinstance(config, IsotropicConfig)
        return replace(config, gains=gains, factor=factor if gains else 0.0)

    made = build(changed(network.config))
    made.load_state_dict(network.state_dict())
    return made
