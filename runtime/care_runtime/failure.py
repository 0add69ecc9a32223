"""Failure: what a network's library says where it fails, and what that means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from care_runtime.errors import DeviceLostError, EngineError, OutOfMemoryError

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORT = (
    "Failed to allocate memory",
    "bad allocation",
    "bad_alloc",
    "smaller than requested bytes",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    # cuDNN 9: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED, and of the host.
    "ALLOCATION_FAILED",
    # A tensor of 2^31 elements.
    "CUDNN_STATUS_NOT_SUPPORTED",
)
"""What ONNX Runtime says where a tile is too large."""

LOST = {
    *(4, 46, 100, 101),
    *(214, 220, 226),
    *(700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 999),
}
"""Errors of CUDA after which a process has that GPU no more.

The driver ended (4), the GPU is not to be had (46, 100, 101), its memory or links are
broken (214, 220, 226); or the context is destroyed and gives nothing but errors (from
700 on).
"""

NUMBER = re.compile(r"CUDA (?:failure|error) (\d+)")
SPENT = ("CUDNN_STATUS_EXECUTION_FAILED", "CUBLAS_STATUS_EXECUTION_FAILED")
"""What its libraries say in that state, and in others: alone, it means nothing more
than that it failed."""


def explained(
    error: Exception, shape: Sequence[int], device: str = "cpu"
) -> EngineError:
    """Say in a line what went wrong while a network ran on a tile.

    Parameters
    ----------
    error
        Of ONNX Runtime; its text may have several lines.
    shape
        Of the tile.
    device
        Where the network ran.

    Returns
    -------
    EngineError
        An `OutOfMemoryError` where a smaller tile may fit, a `DeviceLostError` where
        the GPU is gone.
    """
    line = _line(error)
    wanted = f"expected the network to run on a tile of shape {tuple(shape)}, found"
    if device != "cpu" and _is_lost(line):
        msg = (
            f"{wanted} that the GPU {device} was lost: {line}; this process cannot use "
            "it any more: look at it with nvidia-smi, then start again"
        )
        return DeviceLostError(msg)
    if device != "cpu" and _is_spent(line):
        msg = (
            f"{wanted} that the GPU {device} failed: {line}; if it fails again, look "
            "at it with nvidia-smi"
        )
        return EngineError(msg)
    msg = f"{wanted}: {line}; if memory is short, take smaller tiles"
    return (OutOfMemoryError if _is_short(line) else EngineError)(msg)


def unopened(error: Exception, device: str) -> EngineError:
    """Say in a line why a network that a CPU takes cannot be had on a GPU.

    Parameters
    ----------
    error
        Of ONNX Runtime.
    device
        The GPU, as ``"cuda:N"``.

    Returns
    -------
    EngineError
        An `OutOfMemoryError` where the GPU has no room, a `DeviceLostError` where it
        is gone.
    """
    line = _line(error)
    wanted = f"expected to load the network on the GPU {device}, found"
    if _is_lost(line):
        msg = f"{wanted} that it is lost: {line}; look at it with nvidia-smi"
        return DeviceLostError(msg)
    if _is_short(line):
        msg = f"{wanted} no room: {line}; end what else takes its memory (nvidia-smi)"
        return OutOfMemoryError(msg)
    full = "; it may have no room (nvidia-smi)" if "NOT_INITIALIZED" in line else ""
    msg = f"{wanted}: {line}{full}; care-run doctor looks at its driver and libraries"
    return EngineError(msg)


def _line(error: Exception) -> str:
    """Find the line of an error that says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for tells in (_is_lost, _is_short, _is_spent):
        for line in lines:
            if tells(line):
                return line
    return (lines or [""])[0]


def _is_short(line: str) -> bool:
    return any(text in line for text in SHORT)


def _is_spent(line: str) -> bool:
    return any(text in line for text in SPENT)


def _is_lost(line: str) -> bool:
    found = NUMBER.search(line)
    return found is not None and int(found[1]) in LOST
