"""On the user's machine: plans a job, starts it, follows it, brings the model home."""
