"""What holds for all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

# A shell that starts the tests in the background lets them, and all their children, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium (tests.chromium.Chromium) for the tests of a file."""
    from tests.chromium import chromium

    with chromium() as running:
        yield running


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that share something run in one process: those of a file its fixtures, Docker's the engine and the image.

    The groups of --dist loadgroup would do, but xdist 3.8 does not bring them into the test ids of pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByWhatIsShared(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return "docker" if path.startswith("tests/docker/") or path == "tests/launcher/test_first_walk.py" else path

    return ByWhatIsShared(config, log)
