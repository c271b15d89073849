"""Figures, events and forecasts in words."""
