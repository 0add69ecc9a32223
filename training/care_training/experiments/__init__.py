"""Experiments: one file for each model of the zoo."""

NAMES = ("denoise_widefield",)
"""Zoo names; each is a module of this package with an `EXPERIMENT`."""
