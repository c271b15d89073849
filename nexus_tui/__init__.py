"""NEXUS's command line: it parses, drives the engine and draws; it computes nothing itself."""

__all__: list[str] = []
