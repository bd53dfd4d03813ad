"""What is checked before money is spent, one file per subject."""
