"""Charts of the screen Teach: what is judged, how far the judging is, what a retrain changed."""
