# /// script
# dependencies = ["care-zoo"]
# ///
"""Restore a movie from another program: load once, call as often as you like."""

import numpy as np

import care_runtime


def main() -> None:
    """Restore two noisy frames and tell what came back."""
    restorer = care_runtime.load("denoise_widefield", device="auto")
    movie = np.random.default_rng(0).poisson(50, (2, 200, 300)).astype(np.uint16)

    def progress(done: int, total: int) -> None:
        print(f"tile {done} of {total}")

    restored = restorer(movie, axes="TYX", progress=progress)
    print(restored.axes, restored.image.shape, restored.image.dtype)
    for key, value in restored.provenance.items():
        print(f"{key}: {value}")


if __name__ == "__main__":
    main()
