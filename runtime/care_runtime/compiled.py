"""Compiled: a network as OpenVINO runs it, and the shapes that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRECISION = "INFERENCE_PRECISION_HINT"
"""OpenVINO's name of the precision in which a network computes."""


class Compiled:
    """A network that OpenVINO compiled for this CPU; threads may share it.

    Parameters
    ----------
    core
        OpenVINO's.
    network
        As it was read.
    hints
        OpenVINO's, by name.

    Attributes
    ----------
    precision : str
        In which it computes, in OpenVINO's words.
    failed : bool
        Whether it failed on a tile. It is to be compiled anew then: its parts keep the
        shapes at which it stopped, and refuse tiles that they took before.
    """

    def __init__(self, core: Any, network: Any, hints: dict[str, Any]) -> None:
        self._model = core.compile_model(network, "CPU", hints)
        self.precision = self._model.get_property(PRECISION).to_string()
        self.failed = False
        self._idle: list[Any] = []

    def infer(
        self, images: list[NDArray[Any]], order: list[int]
    ) -> list[NDArray[np.float32]]:
        """Give the outputs at these places, each in memory of its own."""
        try:
            request = self._request()
            found = request.infer(images, share_inputs=True)
            answers = [np.asarray(found[i], np.float32) for i in order]
        except Exception:
            self.failed = True
            raise
        self._idle.append(request)
        return answers

    def _request(self) -> Any:
        try:
            return self._idle.pop()  # of a list: no two threads get the same
        except IndexError:
            return self._model.create_infer_request()


class Shapes:
    """The shapes that a network takes, known before it runs.

    Run on a tile that does not fit (a skip connection of 64 pixels that meets one of
    65), OpenVINO raises an error, answers with nothing or ends the process, by chance.

    Parameters
    ----------
    network
        As it was read.
    """

    def __init__(self, network: Any) -> None:
        self._network = network.clone()  # for it keeps the shapes that it is asked for
        self._names = [tensor.any_name for tensor in network.inputs]
        self._fit: set[tuple[tuple[int, ...], ...]] = set()

    def check(self, *shapes: tuple[int, ...]) -> None:
        """Raise OpenVINO's error if these do not fit; 1 to 50 ms for each new shape."""
        if shapes not in self._fit:
            asked = {n: list(s) for n, s in zip(self._names, shapes, strict=True)}
            self._network.reshape(asked)
            self._fit.add(shapes)
