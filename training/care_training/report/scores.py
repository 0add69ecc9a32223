"""Scores: tables of means and gains, and every number of every image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from care_training.evaluate import INPUT, NETWORK, digits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from care_training.evaluate import Evaluation

HEADS = ("PSNR dB", "NRMSE", "SSIM")


def best(found: Evaluation) -> str | None:
    """Name the baseline with the highest mean PSNR."""
    rows = {k: v.psnr for k, v in found.rows.items() if k not in (INPUT, NETWORK)}
    return max(rows, key=lambda name: rows[name]) if rows else None


def gains(found: Evaluation) -> list[float]:
    """Compare the network with the best baseline, or the input, in dB by image."""
    other = found.each[best(found) or INPUT]
    return [a.psnr - b.psnr for a, b in zip(found.each[NETWORK], other, strict=True)]


def table(found: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Write means and standard deviations by method, with the gain of the network.

    Returns
    -------
    heads, rows
        Of the table.
    """
    measures = list(next(iter(found.measured.values()), {}))
    rival = best(found)
    heads = ["method", *HEADS, *measures, f"gain over {rival or INPUT}, dB"]
    rows = []
    for method, scores in found.each.items():
        row = [
            method,
            spread([s.psnr for s in scores], 2),
            spread([s.nrmse for s in scores], 4),
            spread([s.ssim for s in scores], 3),
        ]
        given = found.measured.get(method, {})
        row += [spread(given[name], digits(name)) for name in measures]
        gain = gains(found) if method == NETWORK else []
        row.append(spread(gain, 2, sign=True) if gain else "")
        rows.append(row)
    return heads, rows


def spread(values: Sequence[float], digits: int, *, sign: bool = False) -> str:
    """Write mean ± standard deviation; the former alone of a single value."""
    mean = float(np.mean(values))
    if not math.isfinite(mean):
        return "infinite"
    text = f"{mean:{'+' if sign else ''}.{digits}f}"
    if len(values) > 1:
        text += f" ± {float(np.std(values)):.{digits}f}"
    return text


def values(found: Evaluation, name: str) -> dict[str, list[float]]:
    """Give one score of all images by method: ``"nrmse"``, ``"ssim"`` or a measure."""
    if name in {"psnr", "nrmse", "ssim"}:
        return {
            k: [float(getattr(s, name)) for s in each] for k, each in found.each.items()
        }
    return {k: list(given[name]) for k, given in found.measured.items()}


def to_dict(found: Evaluation) -> dict[str, Any]:
    """Write means, as cards do, and every number of every image and channel."""
    gain = gains(found)
    return {
        "images": list(found.images),
        "tuned_on": list(found.tuned_on),
        "means": found.to_dict(),
        "best_baseline": best(found),
        "gain_db": {"mean": float(np.mean(gain)), "std": float(np.std(gain))},
        "each": {method: _each(found, method) for method in found.each},
    }


def _each(found: Evaluation, method: str) -> list[dict[str, Any]]:
    scores, given = found.each[method], found.measured.get(method, {})
    channels = len(scores) // len(found.images)
    return [
        {
            "image": image,
            "psnr": [s.psnr for s in mine],
            "nrmse": [s.nrmse for s in mine],
            "ssim": [s.ssim for s in mine],
            **{name: values[number] for name, values in given.items()},
        }
        for number, image in enumerate(found.images)
        for mine in [scores[number * channels : (number + 1) * channels]]
    ]


def plain(value: Any) -> Any:
    """Make a value that JSON can hold: numbers without end become None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def listed(names: Iterable[str], most: int = 6) -> str:
    """Name some things, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
