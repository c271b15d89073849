"""A whole run: preparation, arms, steps, saving, forecast."""
