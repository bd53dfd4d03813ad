"""One script for each verb; each also runs by its path."""
