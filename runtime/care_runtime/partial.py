"""Partial: an unfinished restoration beside its place, from which to go on."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from care_runtime import journal as journal_
from care_runtime import lazy
from care_runtime.errors import FileError
from care_runtime.ledger import Done
from care_runtime.scratch import LARGE
from care_runtime.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from care_runtime.journal import Journal, Record

EVERY = 2.0
"""Seconds of work that a sudden end may cost."""

SHARE = 10
"""How many times longer than the last commit took it works on, on a slow disk."""


@dataclass(slots=True)
class Partial:
    """What is done of one file: raw images, and a journal that tells how far they go.

    Nothing is written within the first seconds unless an image is large.

    Parameters
    ----------
    target
        File that is made.
    head
        What decides the result: source, models, options, software.
    large
        Bytes from which an image lies in a file from the beginning.
    every
        Seconds between two commits.
    """

    target: Path
    head: Mapping[str, Any]
    large: int = LARGE
    every: float = EVERY
    note: str = ""
    _images: list[Stored] = field(default_factory=list)
    _journal: Journal | None = None
    _records: list[Record] = field(default_factory=list)
    _key: dict[int, str] = field(default_factory=dict)
    _last: tuple[int, Done] | None = None
    _committed: tuple[int, Done] | None = None
    _since: float = 0.0
    _cost: float = 0.0
    _ours: bool = False  # no other process has the folder

    @property
    def folder(self) -> Path:
        """Folder of all that is kept."""
        return folder_of(self.target)

    @property
    def kept(self) -> bool:
        """Whether there is something to go on with."""
        return self._committed is not None

    def open(self, *, resume: bool) -> None:
        """Look for an unfinished restoration, to go on with it or to replace it.

        Raises
        ------
        FileError
            If another process is at it.
        """
        self._since = time.monotonic()
        if not self.folder.is_dir():
            return
        journal, records = journal_.opened(self.folder / "journal.jsonl")
        head, *rest = records or [{}]
        self._journal, self._ours = journal, True
        if resume and head == dict(self.head):
            self._records = rest
            done = sum(r.get("tiles", 0) for r in _latest(rest).values())
            self.note = f"went on with what was done before: {done} tiles"
            return
        if not resume:
            self.note = (
                "what was done of it before is replaced: give --resume to go on instead"
            )
        elif head:
            names = [k for k in self.head if head.get(k) != self.head[k]]
            self.note = (
                f"it was begun with another {', '.join(names) or 'version'}, and is "
                "restored afresh"
            )
        journal.close()
        self._journal = None
        self.remove()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Make an image, or take the one that was kept.

        Raises
        ------
        FileError
            If the disk has no room.
        """
        name = self.folder / f"{len(self._images)}.raw"
        image = Stored(name, tuple(shape), dtype, self.large)
        counts = (record.get("images", 0) for record in self._records)
        if len(self._images) < max(counts, default=0) and not image.there:
            self._forget(name)
        if image.nbytes >= self.large:
            self._write_head()
        image.open()
        self._images.append(image)
        return lazy.view(image)

    def plan(self, part: int) -> str:
        """Tell by which plan a part of the work was begun; empty where it was not."""
        return str(_latest(self._records).get(part, {}).get("plan", ""))

    def begin(self, part: int, plan: str) -> Done:
        """Tell how far a part of the work was done by the same plan."""
        smaller = self._key.get(part, plan) != plan  # memory was short in this run
        self._key[part] = plan
        if smaller:
            self._last = None
            if self._committed is not None:
                self._commit(part, Done())
            return Done()
        found = _latest(self._records).get(part, {})
        if not found:
            return Done()
        if found["plan"] != plan:
            self._commit(part, Done())
            return Done()
        known = Done(found["tiles"], tuple(found["saturated"]), found["blank"])
        self._committed = part, known
        return known

    def add(self, part: int, done: Done) -> None:
        """Note that the first tiles are done; now and then this is made to last."""
        if self._last is not None and self._last[0] != part:
            self.commit()
        self._last = part, done
        if time.monotonic() - self._since >= max(self.every, SHARE * self._cost):
            self.commit()

    def commit(self) -> None:
        """Have everything on the disk: first the pixels, then the word that they are.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        if self._last is None or self._last == self._committed:
            return
        self._commit(*self._last)

    def _commit(self, part: int, done: Done) -> None:
        begun = time.monotonic()
        self._write_head()
        for image in self._images:
            image.commit()
        if self._journal is not None:
            said = {"part": part, "plan": self._key[part], "tiles": done.tiles}
            rest = {"saturated": list(done.saturated), "blank": done.blank}
            self._journal.add(said | rest | {"images": len(self._images)})
        self._committed, self._since = (part, done), time.monotonic()
        self._cost = self._since - begun

    def close(self) -> None:
        """Leave it as it is; an empty one vanishes, unless it is another process's."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if not self.kept:
            self.remove()

    def remove(self) -> None:
        """Forget what was done, if it is not another process that does it."""
        for image in self._images:
            image.close()
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        self._committed = self._last = None
        if self._ours:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._ours = False

    def _write_head(self) -> None:
        if self._journal is not None:
            return
        self._journal, _ = journal_.opened(self.folder / "journal.jsonl")
        self._ours = True
        self._journal.clear()
        self._journal.add(self.head)

    def _forget(self, name: Path) -> None:
        """Begin afresh where pixels are gone that the journal tells of."""
        self._records, self._committed = [], None
        self.note = f"{name.name} of what was done before is gone: restored afresh"
        if self._journal is not None:
            self._journal.clear()
            self._journal.add(self.head)


@dataclass(frozen=True, slots=True)
class Part:
    """The ledger of one of several restorations that make one image.

    Parameters
    ----------
    partial
        What is done of all of them.
    number
        Among them.
    """

    partial: Partial
    number: int = 0

    @property
    def plan(self) -> str:
        """Plan by which it was begun before; empty where it was not."""
        return self.partial.plan(self.number)

    def begin(self, plan: str) -> Done:
        """Tell how far it came before, by the same plan."""
        return self.partial.begin(self.number, plan)

    def add(self, done: Done) -> None:
        """Take down that the first tiles are done."""
        self.partial.add(self.number, done)

    def part(self, number: int) -> Part:
        """Keep another one."""
        return Part(self.partial, number)


def folder_of(target: Path) -> Path:
    """Name the folder where the unfinished restoration of a file lies."""
    return target.with_name(f".{target.name}.partial")


def changed(where: object) -> FileError:
    """Return the error for a source that is not what it was."""
    return FileError(
        f"expected {where} to stay as it was, found that it changed while it was read: "
        "restore it again when it is complete"
    )


def _latest(records: list[Record]) -> dict[int, Record]:
    """Return the last record of each part."""
    return {r["part"]: r for r in records if "part" in r}
