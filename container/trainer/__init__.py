"""The child of the supervisor, and the only place that imports paddle."""
