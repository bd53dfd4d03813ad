"""What the demo dataset is drawn from."""
