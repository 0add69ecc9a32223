"""Verified: how far a model is from what its package says, and whether that will do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TEST_TOLERANCE = 1e-3
"""Largest difference to a test output, as a fraction of its range."""

HALF_TOLERANCE = 1e-2
"""The same for a network in half precision, and between tiled and whole by it: what
care-train publish --fp16 accepts."""

BF16_TOLERANCE = 5e-2
"""The same to the test output for products in bf16: in the networks of the zoo single
pixels differ by 3e-3 to 3e-2, the root mean square by 3e-3 at most. Tiled is whole."""

TEST_TOLERANCES = {
    "fp32": TEST_TOLERANCE,
    "fp16": HALF_TOLERANCE,
    "bf16": BF16_TOLERANCE,
}

TILED_TOLERANCE = {"cpu": 0.0, "cuda": 1e-3}
"""Largest difference between tiled and whole by device, as a part of the range."""

CURVED = 1e-6
"""The same for scales and disagreements on a CPU, as a part of the greatest value: at
the end of a row, ONNX Runtime computes exponentials with other instructions, which
differ in the last bits."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Differences found, as fractions of the range of each output.

    Parameters
    ----------
    test
        To the package's test output, by output.
    tiled
        Between the tiled and the whole restoration, by output; of curved outputs as a
        fraction of the greatest value, where that is more than the range.
    device
        Where both were computed.
    curved
        Outputs that go through exponentials.
    engine
        Library that computed both, with its version.
    precision
        Of the network that was run, ``"fp32"``, ``"fp16"`` or ``"bf16"``.
    network
        Name of its file.
    levels
        One grey level as a fraction of the range, by output in whole numbers that may
        differ by it.
    """

    test: dict[str, float]
    tiled: dict[str, float]
    device: str
    curved: tuple[str, ...] = ()
    engine: str = ""
    precision: str = "fp32"
    network: str = ""
    levels: Mapping[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether all differences are within the tolerances."""
        seam = TILED_TOLERANCE[self.device.partition(":")[0]]
        seam = HALF_TOLERANCE if self.precision == "fp16" else seam
        most = TEST_TOLERANCES[self.precision]
        small = all(
            value <= max(most, self.levels.get(name, 0.0))
            for name, value in self.test.items()
        )
        return small and all(
            value <= (max(seam, CURVED) if name in self.curved else seam)
            for name, value in self.tiled.items()
        )
