"""Make the folders of `csbdeep_cases`: what CSBDeep itself computes on TensorFlow.

It needs what this project does without: ``pip install csbdeep==0.8.2 tensorflow``, in
an environment of its own. Weights and images are random. Run it as it is, and once
more with ``TF_USE_LEGACY_KERAS=1`` and ``pip install tf_keras`` for the weights as
Keras 2 wrote them, which other laboratories have: ``care2d_keras2``.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np
from csbdeep import models
from scipy.ndimage import gaussian_filter

HERE = Path(__file__).parent / "csbdeep_cases"
UNET = {"unet_n_depth": 1, "unet_kern_size": 3, "unet_n_first": 2}
PROJECTION = {
    "proj_n_depth": 1,
    "proj_n_filt": 2,
    "proj_n_conv_per_depth": 2,
    "proj_kern": (5, 3, 3),
    "proj_pool": (4, 2, 1),
}

# name: class, axes of the configuration, channels in and out, probabilistic,
# image shape, image axes, dtype, factor, more of the configuration
KERAS_3 = {
    "care3d_XZY_1to2": (
        *("CARE", "XZY", 1, 2, False, (7, 23, 18), "ZYX", "int16", None),
        {},
    ),
    "upsampling_uint8": (
        *("UpsamplingCARE", "YXZ", 1, 1, False, (6, 23, 18), "ZYX", "uint8", 2.5),
        {},
    ),
    "upsampling_prob_5.2": (
        *("UpsamplingCARE", "ZYX", 2, 2, True, (5, 23, 2, 18), "ZYCX", "int16", 5.2),
        {},
    ),
    "isotropic_XY_prob": (
        *("IsotropicCARE", "XY", 1, 1, True, (7, 14, 17), "ZYX", "float32", 3.7),
        {},
    ),
    "isotropic_2ch_5.2": (
        *("IsotropicCARE", "YX", 2, 2, False, (5, 2, 14, 17), "ZCYX", "uint16", 5.2),
        {"unet_n_depth": 2, "unet_residual": False},
    ),
    "project_YXZ_prob": (
        *("ProjectionCARE", "YXZ", 2, 2, True, (2, 9, 23, 18), "CZYX", "uint16", None),
        PROJECTION,
    ),
}
KERAS_2 = {
    "care2d_keras2": (
        *("CARE", "YX", 2, 1, True, (2, 23, 18), "CYX", "uint8", None),
        {"unet_last_activation": "relu", "unet_kern_size": 5},
    ),
}


def weigh(model, rng):
    """Draw the weights: He's width before a ReLU, less in the heads."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            weigh(layer, rng)
        elif layer.get_weights():
            kernel, bias = layer.get_weights()
            activation = layer.activation.__name__
            gain = {"relu": 2.0, "softplus": 0.3}.get(activation, 0.15)
            if activation == "linear" and np.prod(kernel.shape[:3]) > 9:
                gain = 3.0  # of the planes of a projection: a softmax that chooses
            width = np.sqrt(gain / np.prod(kernel.shape[:-1]))
            layer.set_weights(
                [rng.normal(0, width, kernel.shape), rng.normal(0, 0.1, bias.shape)]
            )


def draw(shape, axes, dtype, rng):
    """Draw an image with structure, of grey values that the type can hold."""
    sigma = [{"C": 0, "Z": 0.7}.get(a, 1.5) for a in axes]
    image = gaussian_filter(rng.normal(size=shape), sigma) + 0.1 * rng.random(shape)
    image = (image - image.min()) / np.ptp(image)
    low, high = {
        "uint8": (3, 200),
        "uint16": (110, 4000),
        "int16": (-700, 1500),
        "float32": (0.02, 3.1),
    }[dtype]
    image = low + (high - low) * image
    return (image if dtype == "float32" else np.rint(image)).astype(dtype)


def make(name, case):
    """Write one folder as a laboratory has it, with an image and its restoration."""
    kind, axes, n_in, n_out, probabilistic, shape, image_axes, dtype, factor, more = (
        case
    )
    rng = np.random.default_rng(sum(map(ord, name)))
    projection = kind == "ProjectionCARE"
    config = models.ProjectionConfig if projection else models.Config
    options = {"probabilistic": probabilistic, **UNET, **more}
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model = getattr(models, kind)(
        config(axes, n_channel_in=n_in, n_channel_out=n_out, **options),
        name=name,
        basedir=str(HERE),
    )
    weigh(model.keras_model, rng)
    model.keras_model.save_weights(str(folder / "weights_best.h5"))
    image = draw(shape, image_axes, dtype, rng)
    extra = [] if factor is None else [factor]
    if probabilistic:
        found = model.predict_probabilistic(image, image_axes, *extra)
        answers = {"mean": found.mean(), "scale": found.scale()}
    else:
        answers = {"mean": model.predict(image, image_axes, *extra)}
    np.save(folder / "input.npy", image)
    for output, answer in answers.items():
        if "C" not in image_axes and n_out > 1:  # CSBDeep appends the channels
            answer = np.moveaxis(answer, -1, 0)
        np.save(folder / f"{output}.npy", answer.astype(np.float32))
    facts = {"class": kind, "axes": image_axes, "factor": factor}
    (folder / "case.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    legacy = os.environ.get("TF_USE_LEGACY_KERAS")
    for entry in (KERAS_2 if legacy else KERAS_3).items():
        make(*entry)
