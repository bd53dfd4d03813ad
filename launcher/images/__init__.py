"""The image: what it is made of, building it, and bringing it to ECR."""
