"""Networks: `architectures` joins a backbone, a neck and a head into one model."""
