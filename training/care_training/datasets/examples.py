"""Examples: the small archives of CSBDeep's notebooks.

No hash of them was ever published, and the server speaks plain HTTP: the hash that is
found first is recorded, so that later changes are noticed.
"""

from __future__ import annotations

from typing import Final

from care_training.datasets.archive import Archive

PAGE = "http://csbdeep.bioimagecomputing.com/examples/"
CITATION = (
    "Weigert et al. 2018, Nature Methods 15, 1090, doi:10.1038/s41592-018-0216-7; "
    f"{PAGE}"
)
FILE = "http://csbdeep.bioimagecomputing.com/example_data/{}.zip"

NAMES = (
    "snr_7_binning_2",
    "synthetic_disks",
    "tribolium",
    "retina",
    "flywing",
    "synthetic_upsampling",
)

ARCHIVES: Final[dict[str, Archive]] = {
    name: Archive(
        f"example_{name}.zip", FILE.format(name), None, "not stated", CITATION
    )
    for name in NAMES
}
"""By their names on the server."""
