"""A package, because smdebug-rulesconfig (of the SageMaker SDK) installs a top-level `tests` that would win."""
