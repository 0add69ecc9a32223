"""Kinds of TIFF of single programs: what Zeiss' LSM and MetaMorph's STK say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from care_runtime import units
from care_runtime.image import Calibration

if TYPE_CHECKING:
    from collections.abc import Mapping


def calibration(tif: Any, series: Any, channels: int) -> Calibration | None:
    """Return what such a file says of its image; None of all other files.

    Parameters
    ----------
    tif
        Open ``tifffile.TiffFile``.
    series
        The image.
    channels
        Size of its channel axis.
    """
    if series.kind == "lsm":
        return _lsm(tif.lsm_metadata or {}, channels)
    if series.kind == "stk":
        return _stk(tif.stk_metadata or {})
    return None


def _lsm(said: Mapping[str, Any], channels: int) -> Calibration:
    """Read sizes in metres, the time step in seconds, and names of channels."""
    voxel = _sizes({axis: said.get(f"VoxelSize{axis}") for axis in "ZYX"}, 1e6)
    names = tuple(map(str, (said.get("ChannelColors") or {}).get("ColorNames") or ()))
    return Calibration(
        "ome",
        voxel,
        "µm" if voxel else "",
        units.positive(said.get("TimeIntervall")),
        names if len(names) == channels and any(names) else (),
    )


def _stk(said: Mapping[str, Any]) -> Calibration:
    """Read sizes in the file's unit; the distance of planes is said for each."""
    if not said.get("SpatialCalibration"):
        return Calibration()
    steps = np.atleast_1d(said.get("ZDistance", 0.0))
    given = {a: said.get(f"{a}Calibration") for a in "YX"}
    voxel = _sizes({"Z": steps[-1] if steps.size else None, **given}, 1.0)
    unit = units.length(str(said.get("CalibrationUnits") or "um"))
    return Calibration("ome", voxel, unit if voxel else "")


def _sizes(given: Mapping[str, Any], times: float) -> dict[str, float]:
    found = {axis: units.positive(value) for axis, value in given.items()}
    return {a: units.short(v * times) for a, v in found.items() if v is not None}
