"""Edmond: the archives of the paper's data.

They were deposited in 2025 at Edmond, the open repository of the Max Planck Society;
the older page https://publications.mpi-cbg.de/publications-sites/7207/ leads there. Of
most files the number is not known here, so a person has to fetch them from the page.
"""

from __future__ import annotations

from typing import Final

from care_training.datasets.archive import Archive

PAGE = "https://edmond.mpg.de/dataset.xhtml?persistentId=doi:10.17617/3.FDFZOF"
CITATION = (
    "Weigert et al. 2018, Nature Methods 15, 1090, doi:10.1038/s41592-018-0216-7; "
    f"data doi:10.17617/3.FDFZOF, {PAGE}"
)
LICENCE = "CC0-1.0"
FILE = "https://edmond.mpg.de/api/access/datafile/{}"


def _archive(
    name: str, number: int | None = None, sha256: str | None = None
) -> Archive:
    address = FILE.format(number) if number is not None else None
    return Archive(f"{name}.tar.gz", address, sha256, LICENCE, CITATION)


ARCHIVES: Final[dict[str, Archive]] = {
    "planaria": _archive("Denoising_Planaria", 264085),
    "tribolium": _archive(
        "Denoising_Tribolium",
        264091,
        # As in the portfolio of CAREamics.
        "d6ae165eb94c68fdc4af16796fb12c4c36ad3c23afb3dd791e725069874b2e97",
    ),
    "flywing": _archive("Projection_Flywing"),
    "liver": _archive("Isotropic_Liver"),
    "retina": _archive("Isotropic_Retina"),
    "drosophila": _archive("Isotropic_Drosophila"),
    "tubules": _archive("Synthetic_tubulin_gfp"),
    "granules": _archive("Synthetic_tubulin_granules"),
}
"""By the short name of the experiment."""
