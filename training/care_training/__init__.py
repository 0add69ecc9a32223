"""Train CARE networks and export them as packages for `care_runtime`."""
