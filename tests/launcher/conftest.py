"""What every test of the launcher begins with."""

from __future__ import annotations

import os

import pytest

from launcher.sources import OTHER_VARIABLES, VARIABLE_PREFIX


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(VARIABLE_PREFIX) and name not in OTHER_VARIABLES:
            monkeypatch.delenv(name)
