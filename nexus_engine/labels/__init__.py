"""Verdicts of people on pairs and passages: the label file, who agrees, and what is exported."""
