"""The data report: one page about a dataset, for people to look at before they train."""
