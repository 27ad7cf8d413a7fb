"""From trained estimators to files that the device runs, each beside the sidecar that vouches for it."""
