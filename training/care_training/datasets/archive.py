"""Archive: a published file, fetched once, verified always and unpacked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from care_runtime.errors import FileError
from care_runtime.files import require_place
from care_runtime.package import sha256
from care_training.datasets import record
from care_training.datasets.unpack import unpack

if TYPE_CHECKING:
    from collections.abc import Callable

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
"""Archives that can be unpacked, by the end of their names."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A file of published data.

    Parameters
    ----------
    name
        Of the file, as it lies in the folder of the data sets.
    address
        ``https://``, ``http://`` or ``file://``; None if it is not known, so that a
        person has to fetch the file.
    sha256
        As it was published, in hexadecimal; None if it was not. The hash that is found
        first is recorded then.
    licence
        SPDX identifier, or ``"not stated"``.
    citation
        What to cite, and the page of the data.
    """

    name: str
    address: str | None
    sha256: str | None
    licence: str
    citation: str

    @property
    def stem(self) -> str:
        """Name of the folder it is unpacked to."""
        ends = [end for end in SUFFIXES if self.name.lower().endswith(end)]
        if not ends:
            msg = (
                f"expected an archive that ends in {', '.join(SUFFIXES)}, found "
                f"{self.name!r}"
            )
            raise FileError(msg)
        return self.name[: -len(ends[0])]


def fetch(archive: Archive, folder: Path, *, progress: Any = None) -> Path:
    """Fetch, verify and unpack an archive, as far as that has not been done before.

    A step that was interrupted is taken up again by the next call: what was downloaded
    is not downloaded twice, and only a whole download or folder bears its final name.
    While the archive lies in `folder` it is hashed at every call, in about 2 s a GB; it
    may be deleted once it is unpacked.

    Parameters
    ----------
    archive
        What to fetch.
    folder
        Of all data sets. ``registry.txt`` in it, of lines ``name sha256:... address``,
        records the hashes of archives whose hash was not published.
    progress
        Progress bar of the download: True for pooch's own, which needs tqdm, or an
        object as pooch takes it.

    Returns
    -------
    Path
        Folder that the archive was unpacked to, ``folder / archive.stem``.

    Raises
    ------
    FileError
        If it cannot be fetched, is not what was published or recorded, is damaged,
        would write outside its folder, or the disk is full.
    """
    target, file = folder / archive.stem, folder / archive.name
    if not file.exists() and target.is_dir():
        return target
    require_place(file)
    expected = archive.sha256 or record.read(folder).get(archive.name)
    if not file.exists():
        _download(archive, expected, folder, progress)
    found = sha256(file)
    if expected not in (None, found):
        known, anew = "as it was published", "take a newer care-zoo"
        if not archive.sha256:
            known = "as it was first fetched"
            anew = f"remove its line from {folder / record.NAME} too"
        msg = (
            f"expected {file} {known}, of sha256 {expected}, found {found}: the file "
            "is damaged or was replaced. Delete it and fetch it again; if the data "
            f"were published anew, {anew}"
        )
        raise FileError(msg)
    if not target.is_dir():
        unpack(file, target)
    if expected is None:  # and it could be unpacked: a damaged one is not recorded
        record.add(folder, archive.name, found, archive.address)
    return target


def _download(
    archive: Archive, expected: str | None, folder: Path, progress: Any
) -> None:
    """Download with pooch, which hashes before it moves the file to its place."""
    import pooch

    if archive.address is None:
        msg = (
            f"expected the address of {archive.name}, found that none is known: "
            f"download it by hand from the page of the data ({archive.citation}) and "
            f"put it into {folder}"
        )
        raise FileError(msg)
    pooch.get_logger().setLevel("ERROR")
    known = f"sha256:{expected}" if expected else None
    local = archive.address.startswith("file://")
    downloader: Callable[..., Any] = (
        _copy if local else pooch.HTTPDownloader(progressbar=progress or False)
    )
    try:
        pooch.retrieve(
            archive.address, known, archive.name, folder, downloader=downloader
        )
    except Exception as error:
        # pooch leaves the connection of a request that was refused open.
        if (response := getattr(error, "response", None)) is not None:
            response.close()
        reason = " ".join(str(error).split())
        msg = (
            f"expected to fetch {archive.address}, found that it cannot be had "
            f"({reason}): check the address, the network and the disk and try again, "
            f"or download it by hand ({archive.citation}) and put it into {folder}"
        )
        raise FileError(msg) from error


def _copy(address: str, target: Any, pooch: Any) -> None:
    """Copy a local file, for pooch, which has no downloader for ``file://``."""
    del pooch
    shutil.copyfile(Path(url2pathname(urlsplit(address).path)), target)
