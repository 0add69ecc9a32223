"""One training by CSBDeep, for ``training_parity.py``; runs in CSBDeep's environment.

Reads the patches of that benchmark, trains a CARE network from a seed, and leaves two
model folders beside them: its weights before training and those of the best epoch.
Prints one line of JSON: its losses, its seconds and the versions.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tensorflow as tf
from csbdeep.models import CARE, Config


def main() -> None:
    """Train once."""
    folder, seed, options = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    data = np.load(folder / "patches.npz")
    low, high, low_held_back, high_held_back = (
        data[name].transpose(0, 2, 3, 1)  # channels last
        for name in ("low", "high", "low_held_back", "high_held_back")
    )
    config = Config(
        axes="YX",
        n_channel_in=1,
        n_channel_out=1,
        probabilistic=False,
        train_learning_rate=4e-4,
        train_tensorboard=False,
        **options,
    )
    tf.keras.utils.set_random_seed(seed)
    start = CARE(config, f"csbdeep_start_{seed}", basedir=folder)
    start.keras_model.save_weights(str(start.logdir / "weights_best.h5"))
    model = CARE(config, f"csbdeep_{seed}", basedir=folder)
    model.keras_model.set_weights(start.keras_model.get_weights())
    np.random.seed(seed)  # noqa: NPY002 - the generator that CSBDeep shuffles with
    started = time.perf_counter()
    history = model.train(low, high, (low_held_back, high_held_back)).history
    seconds = time.perf_counter() - started
    restored = model.keras_model.predict(low_held_back, verbose=0)
    found = {
        "losses": [float(loss) for loss in history["val_loss"]],
        "rates": [float(rate) for rate in history["learning_rate"]],
        "own": float(np.abs(restored.astype(float) - high_held_back).mean()),
        "seconds": seconds,
        "versions": {
            **{name: version(name) for name in ("csbdeep", "keras")},
            "tensorflow": tf.__version__,  # of one of several packages
        },
    }
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
