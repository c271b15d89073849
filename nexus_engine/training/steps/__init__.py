"""One training step: batch, loss, gradient, optimizer."""
