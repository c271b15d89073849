"""Figures, events and forecasts as text."""
