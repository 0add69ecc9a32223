"""Recipe: how a network is trained, as numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from care_runtime.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from care_training.form import Form

PATCHES = {"yx": (128, 128), "zyx": (16, 64, 64)}
"""The paper's patch sizes in pixels."""

PROJECTED, PLANES = (64, 64), (1, 128, 128)
"""Those of projections, with all of Z, and of the planes of an isotropic network."""

LEAST = {"steps": 1, "batch": 1, "validate_every": 1, "seed": 0, "pool": 0}
"""Smallest value of each number."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything about training that is not the data or the network.

    Parameters
    ----------
    name
        What the recipe is called on the command line and on cards.
    steps, batch
        Optimizer steps, and patches in each.
    patch
        Patch size in pixels (YX or ZYX); the paper's where empty.
    learning_rate, adam_epsilon
        Adam's step (at the top of the schedule) and its epsilon.
    early_epsilon
        Add the epsilon before the bias of Adam's second moment is corrected, as Keras
        does, and not after it, as torch does.
    schedule
        ``"cosine"`` falls to zero over `steps` after a short linear warm-up;
        ``"plateau"`` halves after ten validations without improvement.
    augment
        Flips and quarter turns in the lateral plane, never along Z, where the
        microscope is not symmetric.
    fresh_noise
        Share of patches whose noise is drawn anew from pixels as bright in the same
        image; only for noise that is independent from pixel to pixel (`noise`).
    target
        ``"fitted"`` keeps the brightness of the low image; ``"percentiles"``
        normalizes the target by its own (see `Patches`).
    average
        Decay of the running average of weights that is exported; 0 for none.
    keep
        Export the ``"last"`` weights or those of the ``"best"`` validation loss.
    pool
        Patches cut once from each image, as CSBDeep does; 0 cuts new ones for ever.
    sharper
        Raise the detail along Z of an isotropic network in the end, to be as strong as
        that across (`detail`); it looks sharper, and may be farther from the truth.
    validate_every
        Steps between validations (the paper's epoch).
    seed
        Of the weights, the patches and their order.
    """

    name: str
    steps: int = 20_000
    batch: int = 16
    patch: tuple[int, ...] = ()
    learning_rate: float = 1e-3
    adam_epsilon: float = 1e-8
    early_epsilon: bool = False
    schedule: Literal["cosine", "plateau"] = "cosine"
    augment: bool = True
    fresh_noise: float = 0.0
    target: Literal["fitted", "percentiles"] = "fitted"
    average: float = 0.998
    keep: Literal["last", "best"] = "last"
    pool: int = 0
    sharper: bool = False
    validate_every: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                msg = f"expected {name} of {least} or more, found {getattr(self, name)}"
                raise RecipeError(msg)
        if any(n < 1 for n in self.patch):
            msg = f"expected patches of 1 pixel or more, found {self.patch}"
            raise RecipeError(msg)
        for name in ("fresh_noise", "average"):
            if not 0 <= getattr(self, name) <= 1:
                msg = f"expected {name} between 0 and 1, found {getattr(self, name)}"
                raise RecipeError(msg)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Read back what `to_dict` wrote."""
        return cls(**{**values, "patch": tuple(values["patch"])})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for checkpoints and cards."""
        return {**asdict(self), "patch": list(self.patch)}

    def for_form(self, form: Form) -> Recipe:
        """Fill in the patch size of a network.

        Raises
        ------
        RecipeError
            If a patch was asked for that has more or fewer sizes.
        """
        if self.patch:
            flat = form.planes and len(self.patch) == 2
            patch = (1, *self.patch) if flat else self.patch
            count = 3 if form.planes else len(form.restored)
            if len(patch) != count:
                msg = f"expected a patch of {count} sizes in pixels, found {self.patch}"
                raise RecipeError(msg)
            return replace(self, patch=patch)
        if form.planes:
            return replace(self, patch=PLANES)
        projected = form.space != form.restored
        return replace(self, patch=PROJECTED if projected else PATCHES[form.space])

    def for_patches(self, size: tuple[int, ...]) -> Recipe:
        """Leave out what is no choice where patches were cut and normalized before.

        Parameters
        ----------
        size
            Of a target, in pixels.
        """
        ready: dict[str, Any] = {"target": "percentiles", "fresh_noise": 0.0, "pool": 0}
        return replace(self, patch=size, **ready)


RECIPES = {
    # Better with little data: on the real pairs of W2S +1.1 dB over the paper's at
    # the same cost, most of it from augmentation.
    "default": Recipe("default"),
    # CSBDeep 0.8.2: 100 epochs of 400 steps on patches cut beforehand, Keras' Adam, no
    # augmentation, the weights of the best validation (here on fixed patches of the
    # images held back, not on patches of the training images).
    "paper": Recipe(
        "paper",
        steps=40_000,
        learning_rate=4e-4,
        adam_epsilon=1e-7,
        early_epsilon=True,
        schedule="plateau",
        augment=False,
        target="percentiles",
        average=0.0,
        keep="best",
        pool=1024,
    ),
}


def get_recipe(name: str, **changes: Any) -> Recipe:
    """Look a recipe up and change some of its numbers.

    Raises
    ------
    RecipeError
        If there is none of that name.
    """
    if name not in RECIPES:
        msg = f"no recipe is called {name!r}: choose one of {', '.join(RECIPES)}"
        raise RecipeError(msg)
    return replace(RECIPES[name], **changes)
