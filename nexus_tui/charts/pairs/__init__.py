"""Charts of sentence pairs."""
