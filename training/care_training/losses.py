"""Losses: what training makes small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping


def mae(restored: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean absolute error per pixel, the paper's loss (Methods, "Training")."""
    return (restored.float() - target).abs().mean()


def laplace(
    mean: torch.Tensor, scale: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """Negative log-likelihood of Laplace distributions, the mean per pixel.

    Parameters
    ----------
    mean, scale, target
        Of one shape; the scale is that of the exponential, not a standard deviation
        (Methods, "Probabilistic networks").
    """
    scale = scale.float()
    far = (mean.float() - target).abs() / scale
    return (far + torch.log(2 * scale)).mean()


def loss(answers: Mapping[str, torch.Tensor], target: torch.Tensor) -> torch.Tensor:
    """Take the likelihood where a scale was predicted, else the absolute error."""
    if "scale" in answers:
        return laplace(answers["mean"], answers["scale"], target)
    return mae(answers["mean"], target)


def psnr(restored: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio in dB of normalized patches, whose range is 1."""
    return -10 * torch.log10(((restored.float() - target) ** 2).mean())
