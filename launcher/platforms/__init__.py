"""Where jobs run: as a process, in Docker, through SageMaker local mode."""
