"""Embeddings scored: correlation, evaluation, similarity and search."""
