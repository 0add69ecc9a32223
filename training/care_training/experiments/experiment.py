"""Experiment: how one model of the zoo is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from care_training import baselines

if TYPE_CHECKING:
    from collections.abc import Callable

    from care_training.baselines import Baseline
    from care_training.card import Facts
    from care_training.experiments.published import Published
    from care_training.experiments.source import Source
    from care_training.measure import Measure
    from care_training.networks import Config
    from care_training.recipe import Recipe
    from care_training.sample import Sample


@dataclass(frozen=True, slots=True)
class Experiment:
    """Data, network and recipe of one model.

    Parameters
    ----------
    name
        Zoo name; ``model_specs/{name}.yaml`` is its reviewed description.
    source
        Of the images.
    network, recipe
        What is trained, and how.
    facts
        What the card says about the data.
    sample
        Makes the image for test tensors, sample and cover.
    baselines
        Methods to compare with, tuned on validation images.
    measures
        What is measured besides PSNR, NRMSE and SSIM.
    needs_data
        Whether the images are a person's own to give: they are not drawn.
    published
        The paper's own data, which take the place of `source` and all that is said of
        it where they are asked for; None if there are none.
    sharpens
        Whether what is restored is sharper than the microscope shows, so that reports
        blur it again and compare it with what was recorded (Fig. 4d).
    description
        Of the model, instead of that of the reviewed description.
    """

    name: str
    source: Source
    network: Config
    recipe: Recipe
    facts: Facts
    sample: Callable[[], Sample]
    baselines: tuple[Baseline, ...] = baselines.ALL
    measures: tuple[Measure, ...] = ()
    needs_data: bool = False
    published: Published | None = None
    description: str = ""
    sharpens: bool = False
