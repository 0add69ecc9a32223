"""Movie: planes of one size as an animated GIF that plays for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime.axes import canonical
from care_runtime.files import written
from care_runtime.normalize import Affine
from care_runtime.percentiles import percentiles

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.image import Image

DELAY = 10
"""Hundredths of a second for which a frame is shown."""

LARGEST = 512
"""Pixels along a side; larger planes are cropped to their middle."""

ROOM = 1 << 14
"""Bytes for the colours and headers of a GIF."""

LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
SHOWN = b"\x21\xf9\x04\x00" + DELAY.to_bytes(2, "little") + b"\x00\x00"
HEADER, IMAGE, END = 13, 0x2C, 0x3B
"""Bytes before the colours of a GIF, and the marks of its blocks."""


def frames(image: Image) -> NDArray[np.uint8]:
    """Take the middle plane of every sample, with one contrast for all.

    Parameters
    ----------
    image
        With samples S; the first time point and channel are shown.

    Returns
    -------
    numpy.ndarray
        Shape (S, Y, X).
    """
    stack = canonical(image.pixels, image.axes)[:, 0, 0]
    planes = stack[:, stack.shape[1] // 2]
    crop = tuple(
        slice(max(0, (n - LARGEST) // 2), max(0, (n - LARGEST) // 2) + LARGEST)
        for n in planes.shape[1:]
    )
    planes = np.asarray(planes[(slice(None), *crop)])
    shown = Affine.between(*percentiles(planes, (0.5, 99.8)))(planes)
    return (255 * np.clip(shown, 0, 1)).astype(np.uint8)


def write_gif(path: Path, planes: NDArray[np.uint8]) -> None:
    """Write planes (S, Y, X) as a movie of grey values."""
    import imagecodecs

    room = 2 * planes.size + ROOM  # noise grows when it is packed
    still = imagecodecs.gif_encode(np.ascontiguousarray(planes), out=room)
    with written(path) as partial:
        partial.write_bytes(_animated(still))


def _animated(still: Any) -> bytes:
    """Say in a GIF of several images that they follow each other, and for how long."""
    first = HEADER + 3 * 2 ** ((still[10] & 7) + 1)
    parts = [b"GIF89a", still[6:first], LOOP]
    place = first
    while still[place] == IMAGE:
        end = place + 11  # the image's place and size, then the width of its codes
        while still[end]:
            end += still[end] + 1
        parts += [SHOWN, still[place : end + 1]]
        place = end + 1
    return b"".join([*parts, bytes([END])])
