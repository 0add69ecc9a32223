"""Experiments: one file for each model of the zoo."""

NAMES = (
    "denoise_planaria",
    "denoise_tribolium",
    "project_flywing",
    "isotropic_drosophila",
    "isotropic_retina",
    "isotropic_liver",
    "tubules_ins1",
    "granules_ins1",
    "tubules_hela",
    "denoise_widefield",
)
"""Zoo names; each is a module of this package with an `EXPERIMENT`."""
