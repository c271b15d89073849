"""The checks of `nexus doctor`, and its proof that NEXUS works offline."""
