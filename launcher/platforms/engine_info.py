"""How a container fits the machine that it runs on, by what the engine says about itself (`info`). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Where SELinux rules, a container may otherwise read no folder of the user's.
NO_SELINUX_LABEL = "label=disable"


def shared_memory(info: Mapping[str, Any]) -> int:
    """Bytes of /dev/shm: half of the memory, as SageMaker's machines seem to have. Docker's own 64 MiB are too few."""
    return info["MemTotal"] // 2


def is_rootless(info: Mapping[str, Any]) -> bool:
    """The engine runs as the user, who is root inside its containers."""
    return "name=rootless" in _kinds(info)


def host_users(info: Mapping[str, Any]) -> dict[str, str]:
    """How a container keeps the users of this machine where the engine would give it others (userns-remap)."""
    return {"userns_mode": "host"} if "name=userns" in _kinds(info) and not is_rootless(info) else {}


def _kinds(info: Mapping[str, Any]) -> set[str]:
    """`name=userns` of `name=userns` and of `name=userns,more`."""
    return {option.partition(",")[0] for option in info.get("SecurityOptions") or []}
