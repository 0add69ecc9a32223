"""Compute: where and how a network is trained."""

from __future__ import annotations

from dataclasses import dataclass

from care_runtime.cores import cores

ENOUGH = 4
"""Processes that cut patches as fast as an H100 learns from them."""


@dataclass(frozen=True, slots=True)
class Compute:
    """Where and how a network is trained.

    Parameters
    ----------
    device
        ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    precision
        ``"auto"``, ``"fp32"`` or ``"bf16"``.
    workers
        Processes that cut patches; None for some where a GPU would wait for them.
    """

    device: str = "cpu"
    precision: str = "auto"
    workers: int | None = None

    @property
    def processes(self) -> int:
        """How many processes cut patches, 0 for this one."""
        if self.workers is not None:
            return self.workers
        return min(ENOUGH, cores()) if self.device.startswith("cuda") else 0
