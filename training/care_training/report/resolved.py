"""Resolved: where a sharpened image disagrees with what was recorded (Fig. 4d).

The paper's error maps of HeLa microtubules: the restoration is blurred and scaled to
the recorded image (SQUIRREL), and what is left are structures that were made up, lost
or changed in brightness. It needs no truth; that of the truth itself shows how much is
noise and background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from care_training.evaluate import INPUT, NETWORK
from care_training.metrics import scaled_error
from care_training.report import tiles
from care_training.report.chart import TRUTH
from care_training.report.tiles import Row, Tile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from care_training.report.gather import Seen
    from care_training.report.view import View


@dataclass(frozen=True, slots=True)
class Resolved:
    """The resolution-scaled error of one method on one image.

    Parameters
    ----------
    rse, rsp
        Error, relative to the standard deviation of what was recorded, and Pearson
        coefficient.
    crop
        Map of the absolute error in the view that is shown, in the same unit.
    """

    rse: float
    rsp: float
    crop: NDArray[np.float32]


def resolved(
    images: Mapping[str, NDArray[Any]], truth: NDArray[Any], view: View
) -> dict[str, Resolved]:
    """Compare every method, and the truth, with the input of one channel.

    Parameters
    ----------
    images
        By method, (1, Y, X); the input is one of them.
    truth
        Shape (1, Y, X).
    view
        What is shown of them.
    """
    reference = images[INPUT][0]
    unit = float(np.std(reference))
    found = {}
    for method, image in {**images, TRUTH: truth}.items():
        if method == INPUT:
            continue
        error = scaled_error(reference, image[0])
        crop = view.of((error.error / unit)[None])[0]
        found[method] = Resolved(error.rse / unit, error.rsp, crop)
    return found


def row(image: Seen, best: str | None) -> Row:
    """Show the input, and the error maps of best baseline, network and truth."""
    view = image.views[0]
    names = [*([best] if best else []), NETWORK, TRUTH]
    maps = {name: image.resolved[name] for name in names if name in image.resolved}
    _, high = tiles.range_of([each.crop for each in maps.values()])
    shown = [Tile(INPUT, tiles.grey(image.crops[view.name][INPUT][0]))]
    for name, each in maps.items():
        label = f"{name}: RSE {each.rse:.2f}, RSP {each.rsp:.3f}"
        pixels = tiles.coloured(each.crop, 0, high)
        shown.append(Tile(label, pixels, name == NETWORK))
    title = f"{image.name}, {view.place}, error maps from 0 to {high:.2f}"
    return Row(tiles.named("squirrel", image.condition), title, tuple(shown))


def over(seen: Sequence[Seen]) -> dict[str, dict[str, list[float]]]:
    """List RSE and RSP of all images by method."""
    found: dict[str, dict[str, list[float]]] = {}
    for image in seen:
        for method, each in image.resolved.items():
            mine = found.setdefault(method, {"RSE": [], "RSP": []})
            mine["RSE"].append(each.rse)
            mine["RSP"].append(each.rsp)
    return found
