"""From NAME.json and its file to something that gives probabilities."""
