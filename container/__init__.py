"""Inside the image: the supervisor (PID 1, never imports paddle) and, in `trainer/`, the child that trains."""
