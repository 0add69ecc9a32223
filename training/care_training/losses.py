"""Losses: what training makes small."""

from __future__ import annotations

import torch


def mae(restored: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean absolute error per pixel, the paper's loss (Methods, "Training")."""
    return (restored.float() - target).abs().mean()


def psnr(restored: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio in dB of normalized patches, whose range is 1."""
    return -10 * torch.log10(((restored.float() - target) ** 2).mean())
