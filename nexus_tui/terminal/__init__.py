"""Streams, signals and failures at a terminal."""
