"""Mixture: what an ensemble of Laplace networks says together, pixel by pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

NODES = 8
"""Of the quadrature, between two neighbouring means and in each tail."""

GRADING = 1.7
"""How much nodes crowd at both ends of a stretch; 1 is plain Gauss-Legendre."""

FLOOR = 1e-36
"""Of a sum of densities; it is less only where a member has no weight left."""


class Members(nn.Module):
    """All means and scales, as they are."""

    def forward(
        self, means: Sequence[torch.Tensor], scales: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        """Return every tensor of the members."""
        return (*means, *scales)


class Mixture(nn.Module):
    """Mean, standard deviation and disagreement of an ensemble of Laplace networks.

    Member k of M says p_k(z) = exp(-|z - mu_k| / b_k) / (2 b_k), and the ensemble says
    the mean of these densities (Methods, "Reliability measures and calibration"). It
    has no parameters, and all of it becomes plain operators of ONNX.
    """

    probe = Members
    """What stands for it where reach is measured: a pixel looks at itself alone."""

    def forward(
        self, means: Sequence[torch.Tensor], scales: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Join what M members return.

        Parameters
        ----------
        means, scales
            M tensors each, of shape (B, C, [Z,] Y, X): mu_k, and b_k > 0.

        Returns
        -------
        tuple
            `mean`, `std` and `disagreement`, each of shape (B, C, [Z,] Y, X).
        """
        count = len(means)
        mean = torch.stack(list(means)).sum(dim=0) / count
        variance = torch.zeros_like(mean)
        for mu, b in zip(means, scales, strict=True):
            variance = variance + 2 * b * b + (mu - mean) * (mu - mean)
        apart = disagreement(torch.stack(list(means)), torch.stack(list(scales)))
        return mean, torch.sqrt(variance / count), apart


def disagreement(means: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Disagreement D = 1 / (M log M) sum_k KL(p_k || mixture) of Laplace densities.

    D is 0 where all members say the same, and 1 where none holds likely what another
    says. KL(p_k || mixture) = log M - E_k[log(sum_j p_j / p_k)] has no closed form: the
    expectation is integrated between each two neighbouring means and in the tails,
    where every density is one exponential, and added node by node, so that memory
    does not grow with the nodes.

    Parameters
    ----------
    means, scales
        Shape (M, ...).

    Returns
    -------
    torch.Tensor
        Shape (...), in [0, 1]; 0 for a single member.
    """
    count = len(means)
    if count == 1:
        return torch.zeros_like(means[0])
    shape = means.shape[1:]
    means, order = torch.sort(means.flatten(1), dim=0)
    scales = torch.gather(scales.flatten(1), 0, order)
    logs = torch.log(scales)
    agreed = torch.zeros_like(means)
    for above in range(count + 1):
        agreed = agreed + _stretch(above, means, scales, logs)
    apart = 1 - agreed.sum(dim=0) / (count * math.log(count))
    return torch.clamp(apart, 0, 1).reshape(shape)


def quadrature(count: int, grading: float) -> list[tuple[float, float]]:
    """Nodes v and weights of Gauss-Legendre in s, for v = s^p / (s^p + (1 - s)^p).

    Parameters
    ----------
    count
        Nodes.
    grading
        The power p.

    Returns
    -------
    list
        Nodes in (0, 1), and weights that add to one.
    """
    s, weights = np.polynomial.legendre.leggauss(count)
    s = (s + 1) / 2
    up, down = s**grading, (1 - s) ** grading
    weights = weights * (s * (1 - s)) ** (grading - 1) / (up + down) ** 2
    pairs = zip(up / (up + down), weights / weights.sum(), strict=True)
    return [(float(node), float(weight)) for node, weight in pairs]


def _stretch(
    above: int, means: torch.Tensor, scales: torch.Tensor, logs: torch.Tensor
) -> torch.Tensor:
    """Integrate p_k log(sum_j p_j / p_k) over one stretch, for all k: (M, ...).

    It lies above the first `above` of the sorted means. Variable is the part of p_k's
    own probability in the stretch that lies between the end next to mu_k and x: in it
    the logarithm is smooth, but for thin layers at the ends, where narrow members peak.
    """
    count = len(means)
    low, high = means[max(above - 1, 0)], means[min(above, count - 1)]
    signs = [1.0] * above + [-1.0] * (count - above)
    side = means.new_tensor(signs).reshape(-1, *[1] * (means.ndim - 1))
    end = torch.where(side > 0, low, high)  # the one next to mu_k
    near = side * (end - means) / scales
    weight = 0.5 * torch.exp(-near)
    inner = 0 < above < count
    share = 1 - torch.exp((low - high) / scales)
    weight = weight * share if inner else weight
    # Relative to `low`: all that is kept is M numbers a pixel, and none is M x M.
    end, step, slope = end - low, side * scales, -side / scales
    start = (low - means) * slope - logs
    total = torch.zeros_like(means)
    for node, part in quadrature(NODES, GRADING):
        decay = torch.log(1 - node * share) if inner else math.log1p(-node)
        x = end - step * decay
        density = torch.exp(x[:, None] * slope + start).sum(dim=1)
        total = total + part * (torch.log(torch.clamp(density, min=FLOOR)) - decay)
    return weight * (total + near + logs)
