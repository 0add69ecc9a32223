"""Csbconfig: the ``config.json`` of a CSBDeep model, and what it must say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from care_runtime.errors import FileError, SpecError

if TYPE_CHECKING:
    from pathlib import Path

NEEDED = [
    "axes",
    "n_channel_in",
    "n_channel_out",
    "probabilistic",
    "unet_residual",
    "unet_n_depth",
    "unet_kern_size",
    "unet_n_first",
    "unet_last_activation",
]
"""Keys of every `config.json`."""

NUMBERS = [key for key in NEEDED if key.startswith("n_")]
NUMBERS += ["unet_n_depth", "unet_kern_size", "unet_n_first"]
NUMBERS += ["proj_n_depth", "proj_n_filt", "proj_n_conv_per_depth"]
"""Keys of whole numbers."""

SIZES = ("proj_kern", "proj_pool")
"""Keys of a number for each of three axes."""

MOST = 4096
"""Largest of them: more filters or channels are a mistake."""

DEEPEST = 16
"""Most levels: each halves an image."""


def read(folder: Path) -> dict[str, Any]:
    """Read the configuration of a model of CSBDeep.

    Raises
    ------
    FileError
        If there is none.
    SpecError
        If it is not that of a network of CARE.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except OSError as error:
        msg = f"cannot read {path}: expected the folder of a CSBDeep model"
        raise FileError(msg) from error
    except ValueError as error:
        msg = f"{path} is no JSON: {error}"
        raise FileError(msg) from error
    if not isinstance(config, dict):
        config = {}
    if any(key.startswith("n2v_") for key in config):
        msg = f"{path} is that of a Noise2Void model: expected one of CARE"
        raise SpecError(msg)
    missing = [key for key in NEEDED if key not in config]
    if missing:
        msg = (
            f"{path} lacks {', '.join(missing)}: expected a CSBDeep CARE configuration"
        )
        raise SpecError(msg)
    strange = {
        key: config[key]
        for key in (*NUMBERS, *SIZES)
        if key in config and not _is_size(config[key], key)
    }
    if strange:
        msg = (
            f"expected whole numbers from 1 to {MOST} in {path}, levels of at most "
            f"{DEEPEST}, and three numbers for {' and '.join(SIZES)}, found {strange}: "
            "mend the file"
        )
        raise SpecError(msg)
    return config


def _is_size(value: Any, key: str) -> bool:
    """Tell whether a value is what a key of sizes may have."""
    most = DEEPEST if key in ("unet_n_depth", "proj_n_depth") else MOST
    if key in SIZES and (not isinstance(value, list | tuple) or len(value) != 3):
        return False
    numbers = value if key in SIZES else [value]
    return all(type(n) is int and 1 <= n <= most for n in numbers)
