"""The screen Teach: the user judges pairs and search results, and retrains on the verdicts."""
