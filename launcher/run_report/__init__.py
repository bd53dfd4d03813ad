"""The run report: one page about a run, for people to look at when it has ended, however it did."""
