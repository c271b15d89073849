"""The app: screens over the engine's events. `opening.open_app` is the way in."""
