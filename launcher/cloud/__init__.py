"""Runs on SageMaker: what they are made of, what they cost, and how they are started and followed."""
