"""Deferred: a restoration that is computed by dask when it is asked for."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from care_runtime.errors import BlankImageWarning
from care_runtime.restored import Outputs, Restored


@dataclass(frozen=True, slots=True)
class Deferred(Outputs):
    """What `care_runtime.dask.restore` gives back: a `Restored` of dask arrays.

    All outputs come from the same tasks: `compute` runs the network once for all of
    them, and so does ``dask.compute(*deferred.outputs.values())``.

    Parameters
    ----------
    images, main, provenance
        As `Outputs` has them; the pixels are dask arrays.
    saturated, blank
        Dask arrays without axes: pixels of the main image that its integer type could
        not hold, and channels of frames without contrast.
    flagged
        Fraction of the pixels that are not to be trusted, as dask array without axes;
        None if nobody asked.
    flag
        What is flagged, in words.
    """

    saturated: Any = 0
    blank: Any = 0
    flagged: Any = None
    flag: str = ""

    @property
    def image(self) -> Any:
        """Dask array of the main output."""
        return self.images[self.main].pixels

    def compute(self, **options: Any) -> Restored:
        """Restore everything, and hold it in memory.

        Parameters
        ----------
        **options
            As ``dask.compute`` takes them, such as ``scheduler="threads"``.

        Raises
        ------
        ImageError, EngineError
            As `Restorer` does.

        Warns
        -----
        BlankImageWarning
            If a frame has no contrast; it is returned unchanged.
        """
        import dask

        names = list(self.images)
        wanted = [*self.outputs.values(), self.saturated, self.blank, self.flagged]
        *pixels, saturated, blank, flagged = dask.compute(*wanted, **options)
        if blank:
            msg = (
                f"{int(blank)} frame(s) or channel(s) have no contrast between the "
                "percentiles and are returned unchanged: give other percentiles or "
                "grey values if there is something to see"
            )
            warnings.warn(msg, BlankImageWarning, stacklevel=2)
        images = {
            name: replace(self.images[name], pixels=np.asarray(found))
            for name, found in zip(names, pixels, strict=True)
        }
        return Restored(
            images=images,
            main=self.main,
            provenance=self.facts(flagged),
            saturated=int(saturated),
            blank=int(blank),
            flagged=None if flagged is None else float(flagged),
        )

    def facts(self, flagged: float | None) -> dict[str, str]:
        """Return the provenance with what was flagged in the end."""
        facts = dict(self.provenance)
        if flagged is not None:
            facts["flagged"] = f"{100 * float(flagged):.2f} % of pixels ({self.flag})"
        return facts

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """Compute the main image."""
        return np.array(self.image.compute(), dtype=dtype, copy=copy)
