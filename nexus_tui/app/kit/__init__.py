"""What the features of the app share: frame, dialogs, rows, inputs."""
