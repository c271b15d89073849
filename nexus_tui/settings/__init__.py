"""Settings from options, environment and nexus.toml."""
