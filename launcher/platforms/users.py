"""Users inside and outside of containers, by what an engine says about itself (`info`). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_rootless(info: Mapping[str, Any]) -> bool:
    """The engine runs as the user, who is root inside its containers."""
    return "name=rootless" in _kinds(info)


def host_users(info: Mapping[str, Any]) -> dict[str, str]:
    """How a container keeps the users of this machine where the engine would give it others (userns-remap)."""
    return {"userns_mode": "host"} if "name=userns" in _kinds(info) and not is_rootless(info) else {}


def _kinds(info: Mapping[str, Any]) -> set[str]:
    """`name=userns` of `name=userns` and of `name=userns,more`."""
    return {option.partition(",")[0] for option in info.get("SecurityOptions") or []}
