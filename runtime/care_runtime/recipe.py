"""Recipe: how every process of a cluster comes by the same network, once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from care_runtime.errors import EngineError, OptionError
from care_runtime.package import Package, sha256
from care_runtime.trust import given

if TYPE_CHECKING:
    from collections.abc import Sequence

    from care_runtime.engines import AnyEngine
    from care_runtime.restore import Restorer
    from care_runtime.trust import Trust

KEPT = 2
"""Networks that a process holds at once."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a worker comes by the network, once a process.

    Parameters
    ----------
    model, zoo
        What a person named, and where; asked for where the file is not there.
    file, sha256
        The network's file where the graph was made, and what it has to be.
    device, engine, threads
        As `engines.load` takes them.
    outputs
        Those to compute, by name or place.
    precision
        Of the network, ``"fp32"``, ``"fp16"`` or ``"bf16"``.
    """

    model: str
    zoo: str | None
    file: str
    sha256: str
    device: str
    engine: str
    threads: int
    outputs: tuple[str | int, ...]
    precision: str = "fp32"


def planned(
    model: str | Package,
    zoo: str | None,
    device: str,
    engine: str,
    threads: int,
    *,
    precision: str = "auto",
    outputs: Sequence[str] | None,
    trust: Trust,
) -> tuple[Restorer, Recipe]:
    """Load the model here, to check it, and say how workers come by the same.

    Parameters
    ----------
    model, zoo, device, engine, threads, precision, outputs, trust
        As `care_runtime.dask.restore` takes them.

    Raises
    ------
    OptionError, ModelNotFoundError, FileError, SpecError, EngineError
        If there is no such model, or it cannot be run as asked for.
    """
    import care_runtime
    from care_runtime import store, trial
    from care_runtime.precision import decide, file

    if not isinstance(model, str | Package):
        msg = (
            f"expected a model by name, place or Package, found a "
            f"{type(model).__name__}: every worker loads it by itself"
        )
        raise OptionError(msg)
    found = store.locate(model, zoo=zoo) if isinstance(model, str) else model
    needed = None
    if outputs is not None:
        needed = [*(readout.id for readout in given(found.spec, outputs))]
        needed = list(dict.fromkeys([*needed, *trust.needs(found.spec)]))
    on_gpu = device.startswith("cuda")
    restorer = care_runtime.load(
        found,
        # The graph may be made on a machine without the GPU that workers have.
        device="cpu" if on_gpu else device,
        engine="onnxruntime" if on_gpu else engine,
        threads=threads,
        outputs=needed,
        precision="fp32" if on_gpu else precision,
    )
    network: Any = restorer.network
    names = [tensor.id for tensor in restorer.spec.outputs]
    facts = restorer.provenance
    if on_gpu:
        facts["device"] = device
        facts["precision"] = decide(precision, found, names, device)
    path = file(found, names, facts["precision"])
    # Workers run it as it is; what was loaded here may be another file of the package.
    trial.require(found, path)
    facts["model sha256"] = sha256(path)
    places = [i for i, t in enumerate(found.spec.outputs) if t.id in names]
    recipe = Recipe(
        model if isinstance(model, str) else "",
        zoo,
        str(path.resolve()),
        facts["model sha256"],
        device if on_gpu else network.device.partition(":")[0],
        network.name,
        threads,
        tuple(names if found.spec.care is not None else places),
        facts["precision"],
    )
    return restorer, recipe


_networks: dict[Recipe, AnyEngine] = {}
_lock = Lock()


def network(recipe: Recipe) -> AnyEngine:
    """Load a network, or take that of an earlier task of this process.

    Raises
    ------
    EngineError
        If this machine has another file of that name, or cannot run it.
    ModelNotFoundError, FileError
        If it has none, and none can be had.
    """
    from care_runtime import engines

    same = replace(recipe, model="", zoo=None, file="")  # it is known by its hash
    with _lock:
        if same not in _networks:
            while len(_networks) >= KEPT:
                _networks.pop(next(iter(_networks)))
            _networks[same] = engines.load(
                _file(recipe),
                recipe.device,
                engine=recipe.engine,
                threads=recipe.threads,
                outputs=recipe.outputs,
                precision=recipe.precision,
            )
        return _networks[same]


def _file(recipe: Recipe) -> Path:
    """Find the network here: where it was at first, else by its name."""
    from care_runtime import store
    from care_runtime.precision import file

    path = Path(recipe.file)
    if path.is_file() and sha256(path) == recipe.sha256:
        return path
    if not recipe.model:
        msg = (
            f"expected the network {path} on this worker, found none or another: name "
            "a model that every worker can fetch, or a folder that all of them see"
        )
        raise EngineError(msg)
    package = store.locate(recipe.model, zoo=recipe.zoo)
    names = [t.id for t in package.spec.outputs]
    if package.spec.care is not None:
        names = [str(name) for name in recipe.outputs]
    path = file(package, names, recipe.precision)
    if sha256(path) != recipe.sha256:
        msg = (
            f"expected the model {recipe.model!r} on this worker to be that of the "
            "machine where the restoration was planned, found another version: name "
            "one, as NAME@VERSION"
        )
        raise EngineError(msg)
    return path
