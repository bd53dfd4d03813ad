"""What launcher, data tools and container agree on. Standard library and PyYAML only."""
