"""What holds for all tests."""

from __future__ import annotations

import signal

import pytest

# A shell that starts the tests in the background lets them, and all their children, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What tests of one process share, when several run them: a module its fixtures, Docker its engine and image."""
    for item in items:
        needs_engine = "engine" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("docker" if needs_engine else str(item.path)))
