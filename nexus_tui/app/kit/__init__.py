"""The parts that the app's features share: frame, dialogs, lists, inputs."""
