"""Containers that outlived their launcher: by which labels they are found, and how a new start of the run ends them."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from launcher.engine import LABEL_PREFIX
from launcher.people import say
from launcher.plan import Plan
from launcher.platforms.docker_container import gone_already

if TYPE_CHECKING:
    from docker import DockerClient

RUN_LABEL, FOLDER_LABEL, CHECKPOINTS_LABEL = (LABEL_PREFIX + name for name in ("run", "folder", "checkpoints"))


def run_labels(plan: Plan) -> dict[str, str]:
    """The run, and what only one container at a time may write to; on every container, whatever its platform."""
    return {
        RUN_LABEL: plan.run,
        FOLDER_LABEL: os.path.realpath(plan.folder),
        CHECKPOINTS_LABEL: os.path.realpath(plan.checkpoints),
    }


def end_leftovers(client: DockerClient, plan: Plan) -> None:
    """End what still writes into the run, gently: it has the grace to save, and this start goes on from there.

    The run is locked by this process, so whoever started such a container is gone: nobody else will end it.
    """
    labels = run_labels(plan)
    for label in (FOLDER_LABEL, CHECKPOINTS_LABEL):
        filters = {"label": f"{label}={labels[label]}"}
        for container in client.containers.list(all=True, filters=filters, ignore_removed=True):
            say(
                f"container {container.name} is left of an earlier start: "
                f"it has {plan.grace_s:g} s to save, then it is removed"
            )
            with gone_already():
                container.stop(timeout=math.ceil(plan.grace_s))
            with gone_already():
                container.remove(force=True, v=True)
