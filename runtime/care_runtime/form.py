"""Form: how image files are packed."""

from __future__ import annotations

from dataclasses import dataclass

from care_runtime.errors import OptionError

COMPRESSIONS = ("none", "zlib", "zstd")


@dataclass(frozen=True, slots=True)
class Form:
    """How files are written.

    Parameters
    ----------
    compress
        ``"none"``, ``"zlib"`` or ``"zstd"``; None leaves it to the kind of file.
    pyramid
        Smaller copies beside the image, each half as large; None leaves it to the
        kind of file.

    Raises
    ------
    OptionError
        If one of them means nothing.
    """

    compress: str | None = None
    pyramid: int | None = None

    def __post_init__(self) -> None:
        if self.compress not in (None, *COMPRESSIONS):
            msg = (
                f"expected a compression of {', '.join(COMPRESSIONS)}, found "
                f"{self.compress!r}"
            )
            raise OptionError(msg)
        if self.pyramid is not None and not 0 <= self.pyramid <= 16:
            msg = f"expected 0 to 16 levels of a pyramid, found {self.pyramid}"
            raise OptionError(msg)
