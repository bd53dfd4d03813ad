"""Before training: draw or convert a dataset and check that it will train."""
