"""Runner: what restores the files of a batch, this process or a cluster."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from care_runtime import batch
from care_runtime.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from care_runtime.batch import Options, Result
    from care_runtime.mixed import Mixed
    from care_runtime.package import Package
    from care_runtime.reading import Place
    from care_runtime.restore import Restorer

    Progress = Callable[[int, int], None]
    One = Callable[[Place, Path, Options, Progress | None], Result]


@dataclass(frozen=True, slots=True)
class Runner:
    """A way to restore files.

    Parameters
    ----------
    one
        Restores a file into a place; what goes wrong is told in the result.
    provenance
        Facts about models and devices.
    """

    one: One
    provenance: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Where:
    """What runs the networks, as `care_runtime.load` takes it.

    Parameters
    ----------
    device, engine, threads, precision
        See there.
    """

    device: str = "auto"
    engine: str = "auto"
    threads: int = 0
    precision: str = "auto"


@dataclass(frozen=True, slots=True)
class Far:
    """Workers of dask that were asked for.

    Parameters
    ----------
    wish
        ``local:N`` or the address of a scheduler; see `cluster.connected`.
    where
        What the workers run networks with.
    """

    wish: str
    where: Where


@contextmanager
def opened(
    load: Callable[[], Restorer | Mixed],
    far: Far | None,
    packages: Sequence[tuple[int | str | None, Package]],
    files: Sequence[Place],
    places: Sequence[Path],
    chosen: Options,
) -> Iterator[Runner]:
    """Restore in this process, or by workers; those started here end with the context.

    Parameters
    ----------
    load
        Loads the models here.
    far
        The workers; None for this process.
    packages
        Models by channel; workers take a single one for all.
    files, places, chosen
        Images, their restorations, and how they are made.

    Raises
    ------
    OptionError
        If workers cannot do what is asked for.
    FileError, EngineError
        If dask is not installed, or no workers are found.
    """
    if far is None:
        restorer = load()
        yield Runner(partial(batch.run, restorer), restorer.provenance)
        return
    from care_runtime import cluster, remote

    if len(packages) != 1 or packages[0][0] is not None:
        msg = (
            "expected one model for all channels with --dask, found -m CHANNEL=MODEL: "
            "restore the channels one by one with --channel"
        )
        raise OptionError(msg)
    remote.check(files, places, chosen)
    package = packages[0][1]
    at = far.where
    model = remote.Remote(package, at.device, at.engine, at.threads, at.precision)
    facts = {"model": package.spec.name, "model version": package.version}
    with cluster.connected(far.wish) as client:
        one = partial(remote.run, model, client)
        yield Runner(one, {**facts, "device": at.device, "dask": far.wish})
