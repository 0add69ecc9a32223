"""Footprint: how large a tile may be for the memory of a machine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from care_runtime import gpu, wire
from care_runtime.protobuf import fields, message, number, numbers, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COST = 1680 / (32 * 4)
"""Bytes that a pixel of a tile takes for each byte of its features at full resolution.

Measured on an H100 for the default 3-D U-Net of 32 filters: 1,680 bytes in fp32 and 840
in fp16, with an arena that takes what is asked for and no more.
"""

FEATURES = 32
"""Features where a graph does not tell."""

SHARE = 0.8
"""Part of the free memory that is planned with; the rest is for what was not measured:
other networks and libraries. Where that is too much all the same, tiles become smaller.
"""

MOST = 1 << 24
"""Pixels of a tile beyond which nothing is gained: 64 x 512 x 512 is as fast."""

ELEMENTS = 1 << 30
"""Of the features of a tile: where ways of a U-Net meet there are twice as many, and
cuDNN counts less than 2^31."""

FLOAT16 = 10
"""ONNX's number for half precision."""


def room(source: Path | bytes, device: int, calls: int = 1) -> int | None:
    """Say how many pixels a tile may have at most, from the memory that is free now.

    A power of two: what little the free memory differs between two runs does not
    change their tiles, so that the second can go on where the first stopped.

    Parameters
    ----------
    source
        The network's ONNX file, or its content.
    device
        Number of the GPU.
    calls
        How many tiles are computed at once.

    Returns
    -------
    int or None
        None where the driver does not tell; then the model's own tiles are right.
    """
    found = gpu.memory(device)
    if found is None:
        return None
    features, size = _widest(source)
    pixels = SHARE * found[0] / (COST * features * size * calls)
    pixels = min(MOST, pixels, (ELEMENTS - 1) / features)
    return 1 << math.floor(math.log2(max(pixels, 1)))


def growth(usual: Mapping[int, float], source: Path | bytes) -> dict[int, float]:
    """Say how many times a model's own tiles may be enlarged on a CPU.

    Parameters
    ----------
    usual
        For the default U-Nets, by number of axes. Networks with more features have
        less, so that they take no more memory, down to their own tiles.
    source
        The network's ONNX file, or its content.
    """
    wider = max(1.0, bytes_a_pixel(source) / (COST * FEATURES * 4))
    return {axes: max(1.0, times / wider) for axes, times in usual.items()}


def bytes_a_pixel(source: Path | bytes) -> float:
    """Estimate the memory that a pixel of a tile takes while the network runs.

    It goes by the features at full resolution, which dominate in every U-Net: those of
    the widest convolution before the first pooling.

    Parameters
    ----------
    source
        The network's ONNX file, or its content.
    """
    features, size = _widest(source)
    return COST * features * size


def _widest(source: Path | bytes) -> tuple[int, int]:
    """Find the features of the widest convolution, and the bytes of a number."""
    view = memoryview(source) if isinstance(source, bytes) else wire.mapped(source)
    weights: dict[str, tuple[int, int]] = {}
    used: list[str] = []
    pooled = False
    for key, value in _graph(view):
        if key == 5:
            name, features, size = _weight(value)
            weights[name] = features, size
        elif key == 1 and not pooled:
            kind, inputs = _node(value)
            pooled = kind.endswith("Pool")
            used += inputs[1:2] if kind == "Conv" else ()
    known = [weights[name] for name in used if name in weights]
    return max(known, key=math.prod, default=(FEATURES, 4))


def _graph(view: memoryview) -> list[tuple[int, memoryview]]:
    for key, value in fields(view):
        if key == 7:
            inside = fields(message(value))
            return [(k, message(v)) for k, v in inside if k in (1, 5)]
    return []


def _weight(view: memoryview) -> tuple[str, int, int]:
    """Read name, outputs and bytes a number of a convolution's weights."""
    name, kind = "", 0
    shape: list[int] = []
    for key, value in fields(view):
        if key == 1:
            shape += numbers(value)
        elif key == 2:
            kind = number(value)
        elif key == 8:
            name = text(value)
    return name, shape[0] if shape else 0, 2 if kind == FLOAT16 else 4


def _node(view: memoryview) -> tuple[str, list[str]]:
    kind = ""
    inputs: list[str] = []
    for key, value in fields(view):
        if key == 1:
            inputs.append(text(value))
        elif key == 4:
            kind = text(value)
    return kind, inputs
