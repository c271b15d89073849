"""Axes, rasters and plots that all charts are made of."""
