"""SageMaker's own local mode: what it can be asked, the process in which it runs, and all that it leaves behind."""
