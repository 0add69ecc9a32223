"""Companions: the images of a model's further inputs, beside the first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from care_runtime import finding, npy
from care_runtime.errors import FileError, OptionError
from care_runtime.reading import kind, place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from care_runtime.choice import Options
    from care_runtime.reading import Place
    from care_runtime.spec import Spec


def parse(texts: Sequence[str]) -> dict[str, Place]:
    """Read ``ID=IMAGE``, once for each further input of a model.

    Raises
    ------
    OptionError
        If it is something else, or an input is named twice.
    """
    found: dict[str, Place] = {}
    for text in texts:
        name, mark, image = text.partition("=")
        if not (name and mark and image) or name in found:
            msg = (
                "expected --input ID=IMAGE once for each further input of the model, "
                f"found {', '.join(texts)}"
            )
            raise OptionError(msg)
        found[name] = place(image)
    return found


def require(specs: Sequence[Spec], chosen: Options) -> None:
    """Refuse a restoration for which there is not one image for each input.

    Parameters
    ----------
    specs
        The models.
    chosen
        Names the images of the inputs after the first.

    Raises
    ------
    OptionError
        With the inputs that are missing, or that no model has.
    """
    for spec in specs:
        wanted = [tensor.id for tensor in spec.inputs[1:]]
        if set(wanted) != set(chosen.inputs):
            known = ", ".join(f"--input {name}=IMAGE" for name in wanted)
            found = ", ".join(f"--input {name}" for name in chosen.inputs) or "none"
            msg = (
                f"expected {known or 'no --input'} for the model {spec.name!r}, whose "
                f"first input {spec.input.id!r} is INPUT, found {found}"
            )
            raise OptionError(msg)
    if chosen.inputs and chosen.selection.channels:
        msg = (
            "expected no --channel with --input, found both: channels of several "
            "images may differ; select them in files of their own, or in Python"
        )
        raise OptionError(msg)
    pipes = [name for name, image in chosen.inputs.items() if image == npy.PIPE]
    if pipes:
        msg = f"expected a file for --input {pipes[0]}, found standard input: name one"
        raise OptionError(msg)


def beside(
    source: Place, files: Sequence[Place], inputs: Mapping[str, Place]
) -> dict[str, Place]:
    """Find the images that belong to one.

    Parameters
    ----------
    source
        The image of the first input.
    files
        All images that are restored.
    inputs
        By input, an image, or a folder that has one of the same name.

    Raises
    ------
    FileError
        If there is none, or one image is named for several.
    """
    found: dict[str, Place] = {}
    for name, given in inputs.items():
        folder = isinstance(given, Path) and given.is_dir() and kind(given) != "zarr"
        if isinstance(given, Path) and folder:
            image = given / finding.name_of(source)
            if not image.exists():
                msg = (
                    f"expected an image {image} for the input {name!r}, as that of "
                    f"{source}, found none: give both the same name"
                )
                raise FileError(msg)
            found[name] = image
        elif len(files) > 1:
            msg = (
                f"expected a folder for --input {name}, with an image of the name of "
                f"each of the {len(files)} images, found {given}"
            )
            raise FileError(msg)
        else:
            found[name] = given
    return found
