"""Watch: restore images as a microscope writes them into a folder.

The folders are looked at again and again, with a sleep between: notifications of the
system would be quicker by seconds, but do not come from network drives (SMB, NFS),
where microscopes write, and would be one more dependency.

An image is restored when it is complete: its size and its time of change have stayed
the same for `Pace.settle` seconds, and it can be opened and has all the pixels that it
announces. Neither alone is enough: some programs pause between the planes of a movie,
and some write the header last, or a file that is a whole one after each plane. Network
drives may show sizes late (NFS by up to a minute): settle longer there. Of OME-Zarr,
whose chunks may be absent for good, the time without change is all there is to go by.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from care_runtime import finding, omeset, reading, writing
from care_runtime.arrival import incomplete, mark
from care_runtime.batch import Options, Result
from care_runtime.errors import OptionError
from care_runtime.overlap import real
from care_runtime.result import unbegun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from care_runtime.arrival import Mark
    from care_runtime.reading import Place

    Run = Callable[[Path, Path, Options], Result]


@dataclass(frozen=True, slots=True)
class Pace:
    """When to look, and for how long to wait; all in seconds.

    Parameters
    ----------
    interval
        Between two looks.
    settle
        Without a change, after which an image may be complete.
    patience
        Without a change, after which one that cannot be opened has failed.
    clock, sleep
        What tells the time, and waits.

    Raises
    ------
    OptionError
        If a time makes no sense.
    """

    interval: float = 2.0
    settle: float = 10.0
    patience: float = 600.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        for name, least in (("interval", 0.1), ("settle", 0.0), ("patience", 0.0)):
            found = getattr(self, name)
            if not least <= found < float("inf"):
                msg = f"expected --{name} of {least:g} s or more, found {found:g}"
                raise OptionError(msg)


@dataclass(frozen=True, slots=True)
class Seen:
    """An image that is not restored yet.

    Parameters
    ----------
    mark
        How it was when it was last looked at.
    since
        When it last changed, by `Pace.clock`.
    next
        When it is opened to see if it is complete.
    """

    mark: Mark
    since: float
    next: float


@dataclass(frozen=True, slots=True)
class Watch:
    """Folders that are watched.

    Parameters
    ----------
    folders
        Where images appear; folders in them are not looked into, OME-Zarr are images.
    output
        Folder of the restorations, which keep the names of the images.
    chosen
        How they are restored.
    pace
        When to look.
    waiting
        Images that are not complete.
    done
        Images that are dealt with, as they were then.
    places
        Which image each restoration is of.
    """

    folders: tuple[Path, ...]
    output: Path
    chosen: Options = field(default_factory=Options)
    pace: Pace = field(default_factory=Pace)
    waiting: dict[Path, Seen] = field(default_factory=dict)
    done: dict[Path, Mark] = field(default_factory=dict)
    places: dict[Path, Path] = field(default_factory=dict)


def folders(inputs: Sequence[Place], output: Path) -> tuple[Path, ...]:
    """Check what is to be watched.

    Raises
    ------
    OptionError
        If an input is no folder, or the output is none or is watched itself.
    """
    found = []
    for place in inputs:
        if isinstance(place, str) or not place.is_dir() or _is_zarr(place):
            msg = f"expected folders to --watch, found {place}: name folders that exist"
            raise OptionError(msg)
        found.append(place)
    if output.suffix.lower() in writing.WRITTEN or output.is_file():
        msg = f"expected a folder as output of --watch, found {output}"
        raise OptionError(msg)
    if any(real(output) == real(folder) for folder in found):
        msg = f"expected another folder than {output}, which is watched, as output"
        raise OptionError(msg)
    return tuple(found)


def restored(watch: Watch, run: Run) -> Iterator[Result]:
    """Restore images as they get complete, until this generator is closed.

    It ends with the GPU, if that is lost.

    An image whose restoration is there already is skipped. One that changes after it
    was restored, or meanwhile, is restored again.

    Parameters
    ----------
    watch
        What is watched; its `waiting` and `done` are kept up to date.
    run
        Restores one image into a place, and tells what went wrong in the result.

    Yields
    ------
    Result
        With the status ``"done"``, ``"failed"`` or ``"skipped"``.
    """
    while True:
        present = list(_images(watch.folders))
        for gone in watch.waiting.keys() - set(present):
            del watch.waiting[gone]
        for file in present:
            found = _looked_at(watch, file, run)
            if found is not None:
                yield found
            if found is not None and found.lost:
                return
        watch.pace.sleep(watch.pace.interval)


def follow(watch: Watch, run: Run, show: Callable[[Result], Any]) -> list[Result]:
    """Restore images as they get complete, until Ctrl-C, or until the GPU is lost.

    Parameters
    ----------
    watch, run
        As in `restored`.
    show
        Called with each result.

    Returns
    -------
    list of Result
        The last one of every image; those that were not complete are skipped.
    """
    found: dict[Path, Result] = {}
    try:
        for result in restored(watch, run):
            found[result.source] = result  # type: ignore[index]
            show(result)
    except KeyboardInterrupt:
        pass
    lost = any(result.lost for result in found.values())
    new = [f for f in _images(watch.folders) if f not in watch.done] if lost else []
    for file in dict.fromkeys([*watch.waiting, *new]):
        last, target = found.get(file), watch.output / file.name
        if last is not None and last.status == "failed":
            continue
        if lost:
            found[file] = unbegun(file, target)
            continue
        lack = incomplete(file, watch.chosen)
        why = f"{file}: " + (lack or "it was not restored when the watch ended")
        found[file] = Result(file, target, "skipped", why)
    return list(found.values())


def _looked_at(watch: Watch, file: Path, run: Run) -> Result | None:
    """Look at one image, and restore it if it is complete."""
    before = watch.done.get(file)
    if before is not None and file.is_dir():
        return None  # its thousands of chunks are not counted again
    now, pace = mark(file), watch.pace
    if now is None or now == before:
        return None
    try:
        target = finding.targets([file], watch.output)[0]
    except OptionError as error:
        watch.done[file] = now
        return Result(file, watch.output, "failed", str(error))
    owner = watch.places.setdefault(target, file)
    if owner != file:
        watch.done[file] = now
        why = (
            f"{file}: {target} is that of {owner}: watch their folders one by one, "
            "with outputs of their own"
        )
        return Result(file, target, "failed", why)
    if before is None and target.exists() and not watch.chosen.overwrite:
        watch.done[file] = now
        watch.waiting.pop(file, None)
        why = f"{file}: {target} is there already"
        return Result(file, target, "skipped", why)
    seen, clock = watch.waiting.get(file), pace.clock()
    if seen is None or seen.mark != now:
        watch.waiting[file] = seen = Seen(now, clock, clock + pace.settle)
    if clock < seen.next:
        return None
    why = incomplete(file, watch.chosen)
    if why and clock - seen.since < pace.patience:
        next_ = clock + max(pace.settle, pace.interval)
        watch.waiting[file] = replace(seen, next=next_)
        return None
    if not why and omeset.files(file)[0] != file:
        # The first file of a set stands for all.
        watch.done[file] = now
        watch.waiting.pop(file, None)
        return None
    if why:
        result = Result(file, target, "failed", why)
    else:
        # What was made of it before is ours to replace.
        again = replace(watch.chosen, overwrite=True)
        result = _run(run, file, target, watch.chosen if before is None else again)
    watch.done[file] = now
    if mark(file) == now:
        del watch.waiting[file]
    return result


def _run(run: Run, file: Path, target: Path, chosen: Options) -> Result:
    """Restore an image; a watch goes on whatever happens, but for Ctrl-C."""
    try:
        return run(file, target, chosen)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        why = f"{file}: {type(error).__name__}: {reason}"
        return Result(file, target, "failed", why)


def _images(folders: Sequence[Path]) -> Iterator[Path]:
    """List what is there; a network drive that is away for a while has nothing."""
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 (one round trip)
        except OSError:
            continue
        for name in names:
            file = folder / name
            if file.suffix.lower() in reading.SUFFIXES and not name.startswith("."):
                yield file


def _is_zarr(folder: Path) -> bool:
    return reading.kind(folder) == "zarr"
