"""Micro-Manager: its image stack files, as small ones to test with."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

OME = "http://www.openmicroscopy.org/Schemas/OME/2013-06"


def write(folder: Path, positions: dict[str, NDArray[np.uint16]]) -> list[Path]:
    """Write one file for each position (T, Z, C, Y, X), with an index and OME-XML.

    Planes are 2 um apart and half a second, pixels 0.1 um wide, and channels are called
    DAPI and GFP.
    """
    uuids = {name: f"urn:uuid:{i:08d}-0" for i, name in enumerate(positions)}
    files = {name: f"run_MMStack_{name}.ome.tif" for name in positions}
    images = [
        _image(number, pixels.shape, files[name], uuids[name])
        for number, (name, pixels) in enumerate(positions.items())
    ]
    paths = []
    for number, (name, pixels) in enumerate(positions.items()):
        head = f'<OME xmlns="{OME}" UUID="{uuids[name]}">'
        xml = f"{head}{''.join(images)}</OME>".encode() + b"\0"
        path = folder / files[name]
        path.write_bytes(_file(pixels, xml, number, len(positions)))
        paths.append(path)
    return paths


def _image(number: int, shape: tuple[int, ...], file: str, uuid: str) -> str:
    t, z, c, y, x = shape
    planes = "".join(
        f'<TiffData FirstC="{k}" FirstT="{i}" FirstZ="{j}" IFD="{(i * z + j) * c + k}" '
        f'PlaneCount="1"><UUID FileName="{file}">{uuid}</UUID></TiffData>'
        for i, j, k in np.ndindex(t, z, c)
    )
    channels = "".join(f'<Channel Name="{n}"/>' for n in ("DAPI", "GFP")[:c])
    return (
        f'<Image ID="Image:{number}" Name="Pos{number}"><Pixels DimensionOrder="XYCZT" '
        f'Type="uint16" SizeX="{x}" SizeY="{y}" SizeZ="{z}" SizeC="{c}" SizeT="{t}" '
        'PhysicalSizeX="0.1" PhysicalSizeY="0.1" PhysicalSizeZ="2.0" '
        f'TimeIncrement="500" TimeIncrementUnit="ms">{channels}{planes}'
        "</Pixels></Image>"
    )


def _file(pixels: NDArray[Any], xml: bytes, position: int, positions: int) -> bytes:
    t, z, c, y, x = pixels.shape
    said = {"Frames": t, "Slices": z, "Channels": c, "Positions": positions}
    said |= {"MicroManagerVersion": "2.0.1", "Prefix": "run"}
    said |= {"Width": x, "Height": y, "PixelType": "GRAY16"}
    summary = json.dumps(said).encode()
    summary += b" " * (len(summary) % 2)
    out = bytearray(b"II*\0" + bytes(36)) + summary
    marks = (483765892, 0, 99384722, 0, 2355492, len(summary))
    struct.pack_into("<IIIIII", out, 16, *marks)
    pointer, index = 4, []
    for place in np.ndindex(t, z, c):
        start, data = len(out), np.ascontiguousarray(pixels[place]).tobytes()
        text = b"" if index else xml
        entries = 10 + bool(text)
        first = start + 2 + 12 * entries + 4
        tags = [(256, 4, 1, x), (257, 4, 1, y), (258, 3, 1, 16), (259, 3, 1, 1)]
        tags += [(262, 3, 1, 1)]
        tags += [(270, 2, len(text), first + len(data))] if text else []
        tags += [(273, 4, 1, first), (277, 3, 1, 1), (278, 3, 1, y)]
        text += bytes(len(text) % 2)
        tags += [(279, 4, 1, len(data))]
        tags += [(51123, 2, 8, first + len(data) + len(text))]  # of the plane, in JSON
        struct.pack_into("<I", out, pointer, start)
        index.append((place[2], place[1], place[0], position, start))
        out += struct.pack("<H", entries)
        for tag in tags:
            out += struct.pack("<HHII", *tag)
        pointer = len(out)
        out += bytes(4) + data + text + b'{"a":1}\0'
    struct.pack_into("<II", out, 8, 54773648, len(out))
    out += struct.pack("<II", 3453623, len(index))
    for entry in index:
        out += struct.pack("<5I", *entry)
    return bytes(out)
