"""Options: what the command line of the training side can be told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from care_runtime.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = click.Path(path_type=Path)
SEED = click.IntRange(0, 2**32 - 1)


def gathered(
    *options: Callable[..., Any],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gather options, in the order in which the help shows them."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


IMAGES = gathered(
    click.option("--low", type=FOLDER, help="Folder of noisy images."),
    click.option("--high", type=FOLDER, help="Folder of their targets."),
    click.option("--axes", required=True, help="Of the images, as ZYX; with Z in 3-D."),
)

PAIRS = gathered(
    click.option("--low", type=FOLDER, help="Folder of noisy images."),
    click.option("--high", type=FOLDER, help="Folder of their truth."),
    click.option("--axes", help="Of the images, as ZYX."),
    click.option(
        "--recalibrate",
        is_flag=True,
        help="Fit the predicted scale on half of the images, and write the package.",
    ),
)

TESTS = gathered(
    click.option("--model", help="Name or package.  [default: NAME of the zoo]"),
    click.option(
        "--data", type=FOLDER, help="Folder of test images.  [default: OUTPUT/data]"
    ),
    click.option("--seed", type=SEED, help="Of the test images.  [default: 0]"),
    click.option("--images", type=int, help="Test images of each condition."),
    click.option(
        "--quick", is_flag=True, default=None, help="Few test images, one baseline."
    ),
    click.option(
        "--baseline",
        "baselines",
        multiple=True,
        help="A further denoising to compare with, such as bm4d; any number of them.",
    ),
)

HEIGHT = click.option(
    "--height-map",
    "height",
    is_flag=False,
    flag_value="expectation",
    type=click.Choice(["expectation", "argmax"]),
    help="Give the surface that is projected as an output, too.",
)

KIND = gathered(
    click.option(
        "--projection", is_flag=True, help="Stacks to planes; --high has no Z."
    ),
    HEIGHT,
    click.option("--upsample", type=float, help="Planes of --high per plane of --low."),
    click.option(
        "--isotropic", type=FOLDER, help="Volumes to learn from, instead of --low."
    ),
    click.option(
        "--factor", type=float, help="Of --isotropic: plane distance / pixel."
    ),
    click.option(
        "--blur",
        type=float,
        help="Of --isotropic: sigma along Z in pixels; by default measured.",
    ),
    click.option(
        "--sharper",
        is_flag=True,
        help="Of --isotropic: raise detail along Z to that across.",
    ),
    click.option("--probabilistic", is_flag=True, help="Predict how far to trust it."),
    click.option("--ensemble", default=1, help="Networks to train; 5 in the paper."),
    click.option(
        "--recalibrate", is_flag=True, help="Fit the predicted scale on held-back data."
    ),
)

SOURCE = click.option(
    "--source",
    type=click.Choice(["simulated", "published"]),
    default="simulated",
    show_default=True,
    help="Learn from drawn images, or from the paper's own data, which are fetched.",
)

COMPUTE = gathered(
    click.option("--steps", type=int, help="Optimizer steps."),
    click.option("--batch", type=int, help="Patches in a step."),
    click.option("--seed", type=SEED, help="Of weights and patches."),
    click.option("--device", default="cpu", show_default=True, help="cpu or cuda."),
    click.option(
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16"]),
        default="auto",
        show_default=True,
        help="auto is bf16 on CUDA, else fp32.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(0),
        help="Processes that cut patches; 0, and 4 on CUDA.",
    ),
)

INIT = click.option("--init", help="Model to start from: a package of care-train.")

NETWORK = gathered(
    INIT,
    click.option("--recipe", default="default", show_default=True, help="Or paper."),
    click.option("--depth", type=int, help="Poolings of the U-Net; 2 in the paper."),
    click.option("--kernel", type=int, help="Kernel width; 5 in 2-D, 3 in 3-D."),
    click.option("--filters", type=int, help="Filters of the first level; 32."),
    click.option("--patch", help="Patch in pixels, as 128,128 or 16,64,64."),
    click.option(
        "--fresh-noise",
        type=click.FloatRange(0, 1),
        help="Share of patches with noise drawn anew; for few images from a camera.",
    ),
)


def numbers(text: str, count: int) -> tuple[float, ...]:
    """Read so many numbers with commas between them.

    Raises
    ------
    OptionError
        If they are others.
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != count:
        msg = f"expected {count} numbers with commas between them, found {text!r}"
        raise OptionError(msg)
    return found


def sizes(text: str) -> tuple[int, ...]:
    """Read sizes in pixels with commas between them.

    Raises
    ------
    OptionError
        If one is no whole number above 0.
    """
    found = numbers(text, text.count(",") + 1)
    if not all(n >= 1 and n.is_integer() for n in found):
        msg = f"expected sizes in whole pixels, as 128,128 or 16,64,64, found {text!r}"
        raise OptionError(msg)
    return tuple(int(n) for n in found)
