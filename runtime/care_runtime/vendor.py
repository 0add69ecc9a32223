"""Vendor: the files of microscopes, through bioio and its reader plugins."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import files, units
from care_runtime import series as series_
from care_runtime.errors import CareError, FileError
from care_runtime.files import missing
from care_runtime.image import Calibration, Look
from care_runtime.naming import name
from care_runtime.source import Source, aligned, require_real

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from care_runtime.output import Empty
    from care_runtime.source import Window

EXTRA = "care-zoo[bioio]"

PLUGINS = {
    ".nd2": "bioio-nd2",
    ".czi": "bioio-czi",
    ".lif": "bioio-lif",
    ".dv": "bioio-dv",
    ".sldy": "bioio-sldy",
    ".oib": "bioio-bioformats",
    ".oif": "bioio-bioformats",
    ".vsi": "bioio-bioformats",
    ".ims": "bioio-bioformats",
}
"""Reader plugin of bioio by suffix."""


def source(
    path: Path,
    axes: str | None = None,
    *,
    series: int | str | None = None,
    prefer_z: bool = False,
) -> Source:
    """Look into a file of a microscope, and read no pixels yet.

    Parameters
    ----------
    path
        File of a kind in `PLUGINS`.
    axes
        Letters of ``STCZYX``, in place of the file's; those of length 1 may be left
        out.
    series
        Number or name of the scene.
    prefer_z
        Whether an axis that bioio does not know is Z rather than T.

    Raises
    ------
    FileError
        If it is missing or damaged, or bioio or its plugin is not installed.
    AxesError, ImageError, OptionError
        If its axes, pixels or series are not what is asked for.
    """
    if not path.exists():
        msg = f"expected a file in {path}, found {files.absent(path)}"
        raise FileError(msg)
    try:
        import bioio
    except ImportError as error:
        packages = f"bioio and {_plugin(path)}"
        raise missing(packages, EXTRA, path) from error
    with _explained(path):
        image = bioio.BioImage(path, **_opening(path))
        scenes = [str(scene) for scene in image.scenes]
        number = series_.chosen(scenes, path, series)
        image.set_scene(number)  # names may be those of several
        data = _pixels(image, path)
        # bioio gives every image all of TCZYX, which says nothing if their length is 1.
        letters = "".join(
            "Q" if n == 1 and a not in "YX" else a
            for a, n in zip(image.dims.order, data.shape, strict=True)
        )
        naming = name(letters, data.shape, str(path), axes, prefer_z=prefer_z)
        chunks = tuple(int(n) for n in data.chunksize)
        dtype = require_real(np.dtype(data.dtype), str(path))
        channels = dict(zip(naming.axes, naming.sizes, strict=True)).get("C", 1)
        said = _calibration(image, path, channels)

    def load(window: Window, empty: Empty) -> NDArray[Any]:
        part = naming.array_window(window)
        with _explained(path):
            out = empty(tuple(p.stop - p.start for p in part), dtype)
            for block in aligned(part, dtype.itemsize, chunks):
                place = tuple(
                    slice(b.start - p.start, b.stop - p.start)
                    for b, p in zip(block, part, strict=True)
                )
                out[place] = np.asarray(data[block].compute())
        return naming.image(out, window)

    grid = naming.grid(chunks)
    return Source(str(path), naming.axes, naming.sizes, dtype, load, said, grid=grid)


def _plugin(path: Path) -> str:
    return PLUGINS.get(path.suffix.lower(), "a reader plugin of it")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever bioio and its plugins raise into an error of one line."""
    try:
        yield
    except (CareError, MemoryError):
        raise
    except Exception as error:  # plugins raise anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        lacking = (
            isinstance(error, ImportError) or "Unsupported" in type(error).__name__
        )
        mend = f"python -m pip install {_plugin(path)}, or " if lacking else ""
        msg = (
            f"expected a file in {path} that bioio reads, found that it does not "
            f"({reason}): {mend}save it as OME-TIFF with the program of the microscope"
        )
        raise FileError(msg) from error


def _opening(path: Path) -> dict[str, Any]:
    """Say how a file is opened: plane by plane, where its plugin takes stacks else."""
    stacks = path.suffix.lower() in (".lif", ".czi")
    return {"chunk_dims": ["Y", "X"]} if stacks else {}


def _pixels(image: Any, path: Path) -> Any:
    """Return the pixels of the scene, which are not read yet."""
    data = image.dask_data
    if path.suffix.lower() == ".czi" and data.shape[-1] > 1 and "S" in image.dims.order:
        import dask.array

        # bioio-czi 3.0 gives every sample the pixels of the first, but read at once.
        return dask.array.from_array(np.asarray(image.data), chunks=data.shape)
    return data


def _calibration(image: Any, path: Path, channels: int) -> Calibration:
    """Return what bioio says of a scene; its sizes are in µm."""
    sizes = image.physical_pixel_sizes
    voxel = {
        a: units.short(float(v))
        for a in "ZYX"
        if (v := getattr(sizes, a)) and float(v) > 0
    }
    names = tuple(str(n) for n in image.channel_names or ())
    if len(names) != channels or all(
        re.fullmatch(r"Channel:\d+:\d+", n) for n in names
    ):
        names = ()
    return Calibration(
        flavour="ome",
        voxel=voxel,
        unit="µm" if voxel else "",
        interval=_interval(image, path),
        channels=names,
        name=str(image.current_scene or ""),
        look=Look(_colours(path)).of_count(channels),
    )


def _interval(image: Any, path: Path) -> float | None:
    """Return the seconds between time points."""
    interval = getattr(image, "time_interval", None)
    seconds = getattr(interval, "total_seconds", None)
    step = seconds() if seconds is not None else interval
    if not step and path.suffix.lower() == ".lif":  # which says them one by one
        times = image.xarray_dask_data.coords.get("T")
        steps = np.diff(np.asarray([] if times is None else times, np.float64))
        even = steps.size and np.allclose(steps, steps[0], rtol=0.01)
        step = float(f"{steps.mean():.6g}") if even else None
    return float(step) if step and float(step) > 0 else None


def _colours(path: Path) -> tuple[str, ...]:
    """Return ``RRGGBB`` of each channel of an ND2 file; bioio knows no colours."""
    if path.suffix.lower() != ".nd2":
        return ()
    try:
        import nd2

        with nd2.ND2File(path) as file:
            found = [each.channel.color for each in file.metadata.channels or ()]
        return tuple(f"{c.r:02X}{c.g:02X}{c.b:02X}" for c in found)
    except Exception:  # files without that part of the metadata
        return ()
