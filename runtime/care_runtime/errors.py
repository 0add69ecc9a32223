"""Errors: each is a `CareError` and a built-in, so that callers may catch either."""

from __future__ import annotations

from care_runtime.plain import flat


class CareError(Exception):
    """Base of every error this project raises on purpose; it is one line as text."""

    def __str__(self) -> str:
        """Say what is wrong."""
        return flat(super().__str__())


class SpecError(CareError, ValueError):
    """A model description is wrong, or asks for what this runtime cannot do."""


class AxesError(CareError, ValueError):
    """The axes of an image do not fit the image or the model."""


class ImageError(CareError, ValueError):
    """The pixels of an image cannot be restored (NaN, infinite, complex, empty)."""


class OptionError(CareError, ValueError):
    """An option has a value that means nothing, or nothing for this image."""


class FileError(CareError, OSError):
    """A file cannot be read or written."""


class ModelNotFoundError(CareError, LookupError):
    """No model of that name, path or address."""


class EngineError(CareError, RuntimeError):
    """The network cannot be loaded or run on the device that was asked for."""


class OutOfMemoryError(EngineError, MemoryError):
    """There is no room for a tile; a smaller one may fit."""


class DeviceLostError(EngineError):
    """A GPU failed in the middle; this process has it no more."""


class CancelledError(CareError, InterruptedError):
    """The caller asked a restoration to stop."""


class TrainingError(CareError, ValueError):
    """Training data or options cannot be used."""


class RecipeError(TrainingError, OptionError):
    """What is asked of a training means nothing: a number, a name, a patch."""


class ExportError(CareError, RuntimeError):
    """An exported model does not do what the trained network does."""


class BlankImageWarning(UserWarning):
    """A frame has no contrast between its percentiles and is returned unchanged."""


class SeriesWarning(UserWarning):
    """A file holds several images, and only the first is read."""


class FactorWarning(UserWarning):
    """The factor of stretching, the file's voxel sizes and the model disagree."""


class TileWarning(UserWarning):
    """Memory was short, and tiles had to be smaller."""


class DeviceWarning(UserWarning):
    """There is a GPU, but it cannot be had, and the network runs on the CPU."""


class ChannelWarning(UserWarning):
    """A channel of an image has no model, and is left out."""


class SourceWarning(UserWarning):
    """A source of models that was asked for did not have one, and another had."""
