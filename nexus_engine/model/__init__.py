"""The encoder, its dendrites, and the sentence model that they make."""
