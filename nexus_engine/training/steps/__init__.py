"""One training step: batches, loss, gradient, optimizer."""
