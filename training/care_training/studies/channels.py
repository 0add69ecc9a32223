"""Channels: whether one network of all channels beats one for each (S-Fig. 15).

The paper restores nuclei and their envelopes together, and finds that each helps to
restore the other. Here a network of two channels is compared with two of one channel;
they have the same recipe, stacks and architecture but for the first and last layer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from care_training import networks
from care_training.pairs import Split
from care_training.product import Judges
from care_training.studies import trial
from care_training.studies.study import Study
from care_training.studies.trial import Variant
from care_training.studies.words import stretched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from care_training.experiments.experiment import Experiment
    from care_training.pairs import Pair
    from care_training.studies.outcome import Outcome
    from care_training.studies.setting import Setting

TEXT = (
    "One network that restores all channels together against networks of one channel "
    "each, on the same stacks. All have the same recipe and architecture but for their "
    "first and last layer."
)


def conduct(setting: Setting, tell: Callable[[str], None]) -> Outcome:
    """Train all channels together, and one by one."""
    found, place = setting.experiment, setting.place
    workers = setting.compute.processes
    split = found.source.split(place, workers=workers)
    every = found.source.tests(place, workers=workers)
    tests = {name: pairs[: setting.images] for name, pairs in every.items()}
    tuning = found.source.tuning(place, workers=workers)
    first = found.baselines[:1]  # interpolation: others take many minutes
    judges = Judges(tests, tuning, first, found.measures)
    unet = networks.unet_config(found.network)
    together = Variant("joint", found.network, lambda _: split, judges)
    entries = trial.rivals(replace(together, name=""), tell)
    more, trainings = trial.learnt(together, setting, tell)
    entries += more
    single = networks.with_unet(
        found.network, replace(unet, channels_in=1, channels_out=1)
    )
    for channel in range(unet.channels_in):
        alone = Variant(
            f"single, channel {channel}",
            single,
            lambda _, channel=channel: _only(split, channel),  # type: ignore[misc]
            judges,
            channel=channel,
        )
        more, facts = trial.learnt(alone, setting, tell)
        entries += [replace(entry, variant="single") for entry in more]
        trainings += facts
    told = f"{len(tuning)} validation images"
    return stretched(STUDY, setting, TEXT, tests, told, entries, trainings)


def _only(split: Split, channel: int) -> Split:
    """Take a channel of all pairs."""

    def of(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
        return tuple(trial.one_channel(pair, channel) for pair in pairs)

    return Split(of(split.training), of(split.validation))


def _several(found: Experiment) -> bool:
    unet = networks.unet_config(found.network)
    return unet.channels_in == unet.channels_out > 1


STUDY = Study(
    "channels",
    "Supplementary Fig. 15",
    "all channels together against one by one",
    _several,
    "of two or more channels",
    conduct,
)
