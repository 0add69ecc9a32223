"""One restoration from TIFF to TIFF by each program, for ``against.py``.

Every program runs in an environment of its own, so that each is imported where it is
used. It restores the same image twice: the first time with all that it does then only,
and then once more. Prints a line of JSON: seconds of loading, of both restorations, and
bytes of peak memory.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

Restoration = Callable[[np.ndarray], np.ndarray]

PERCENTILES = 2, 99.8


def care_zoo(
    folder: Path, axes: str, engine: str, precision: str = "fp32"
) -> Restoration:
    """Restore as ``care-run restore`` does."""
    import care_runtime

    restorer = care_runtime.load(
        folder / "package", device="cpu", engine=engine, precision=precision
    )
    return lambda image: restorer(image, axes, dtype="float32").image


def csbdeep(folder: Path, axes: str) -> Restoration:
    """Restore as CSBDeep's notebooks do; stacks in four tiles that are whole in Z."""
    from csbdeep.models import CARE

    model = CARE(None, "model", basedir=folder)
    tiles = (1, 2, 2) if axes == "ZYX" else None
    return lambda image: model.predict(image, axes, n_tiles=tiles)


def bioimageio(folder: Path, axes: str) -> Restoration:
    """Restore as ``bioimageio predict`` does; stacks in blocks as large as ours."""
    from bioimageio.core import create_prediction_pipeline, predict
    from bioimageio.spec import load_model_description

    model = load_model_description(folder / "package" / "rdf.yaml")
    pipeline = create_prediction_pipeline(model)
    (given,) = model.inputs
    block = json.loads((folder / "tile.json").read_text("utf-8"))
    shape = {given.id: {"batch": 1, "channel": 1} | block} if block else None

    def restored(image: np.ndarray) -> np.ndarray:
        data = image[None, None].astype(np.float32)
        found = predict(
            model=pipeline, inputs={given.id: data}, input_block_shape=shape
        )
        return next(iter(found.members.values())).data.to_numpy()[0, 0]

    return restored


def pytorch(folder: Path, axes: str) -> Restoration:
    """Normalize and run the network; stacks in four tiles without a halo."""
    import torch

    from care_training import csbdeep as reader

    network = reader.read(folder / "model").network.eval()
    last = {"memory_format": torch.channels_last} if axes == "YX" else {}
    network = network.to(**last)

    @torch.inference_mode()
    def restored(image: np.ndarray) -> np.ndarray:
        low, high = np.percentile(image, PERCENTILES)
        x = torch.from_numpy(((image - low) / (high - low)).astype(np.float32))
        if axes == "YX":
            y = network(x[None, None].to(**last))[0, 0]
        else:
            rows = [part.chunk(2, -1) for part in x.chunk(2, -2)]
            made = [[network(part[None, None])[0, 0] for part in row] for row in rows]
            y = torch.cat([torch.cat(row, -1) for row in made], -2)
        return y.numpy() * (high - low) + low

    return restored


PROGRAMS: dict[str, Callable[[Path, str], Restoration]] = {
    "care-zoo": lambda folder, axes: care_zoo(folder, axes, "onnxruntime"),
    "care-zoo, OpenVINO": lambda folder, axes: care_zoo(folder, axes, "openvino"),
    "care-zoo, OpenVINO, bf16": lambda folder, axes: care_zoo(
        folder, axes, "openvino", "bf16"
    ),
    "CSBDeep": csbdeep,
    "bioimageio.core": bioimageio,
    "torch": pytorch,
}


def main() -> None:
    """Restore twice, and say what it took."""
    program, folder, axes, out = json.loads(sys.argv[1])["of"]
    started = time.perf_counter()
    restore = PROGRAMS[program](Path(folder), axes)
    found = {"loading": time.perf_counter() - started}
    for turn in ("first", "second"):
        started = time.perf_counter()
        image = tifffile.imread(Path(folder) / "image.tif")
        tifffile.imwrite(out, restore(image).astype(np.float32))
        found[turn] = time.perf_counter() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found["bytes"] = most if sys.platform == "darwin" else most << 10
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
