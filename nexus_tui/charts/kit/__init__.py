"""The parts that all charts share: axes, rasters, plots, styles."""
