"""The encoder, its dendrites, and the sentence model built from both."""
