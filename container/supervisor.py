"""PID 1 of the container: from SageMaker's files to a verified model in /opt/ml/model.

It owns signals, files and the failure message; the trainer, its child, owns paddle. So a crash in native code is
still reported, and a stop is heard even while the trainer is inside a long kernel.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path

from container.artifact import ArtifactIncomplete, clear_failure, collect_model, write_failure
from container.checkpoints import choose_checkpoint
from container.explain import explain
from container.hosts import HostFailed, MeetingPoint, meet
from container.inputs import open_dataset, open_recipe
from container.job import read_job
from container.lifeline import hold_lifeline
from container.machine import look_at_machine
from container.processes import choose_processes
from container.resolve import resolve_recipe
from container.stop import Stop, Stopped, listen_for_stop
from container.trainer_process import TrainerFailed, run_trainer
from container.tree import locate_tree
from contract.errors import UserError
from contract.events import print_event
from contract.paths import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REFUSED, JobPaths
from contract.recipe import wants_gpu


def train() -> int:
    """Run the job under SAGEMAKER_BASE_DIR. Returns the exit code of the container."""
    paths = JobPaths.from_environment(os.environ)
    hold_lifeline(lambda: os._exit(EXIT_FAILED))
    stop = listen_for_stop()
    try:
        return _train(paths, stop)
    except UserError as error:
        stop.preparations_ended()
        return report_failure(paths, str(error), EXIT_REFUSED)
    except Stopped:
        print_event("interrupted", step=0)
        return EXIT_INTERRUPTED
    except (TrainerFailed, HostFailed, ArtifactIncomplete) as error:
        return report_failure(paths, str(error), EXIT_FAILED)
    except Exception as error:
        stop.preparations_ended()
        traceback.print_exc()
        return report_failure(paths, explain(error), EXIT_FAILED)


def _train(paths: JobPaths, stop: Stop) -> int:
    clear_failure(paths.failure)
    job = read_job(paths)
    recipe = open_recipe(job)
    machine = look_at_machine(say)
    processes = choose_processes(job.parameters.processes, len(machine.gpus) if wants_gpu(recipe.config) else 0)
    with meet(job, processes, MeetingPoint.from_environment(os.environ), say) as hosts:
        dataset, recipe = open_dataset(job, recipe, say)
        resume = choose_checkpoint(paths.checkpoints, say) if hosts.place.leads else None
        resolved = resolve_recipe(job, recipe, dataset, machine, resume, hosts.place, say)
        tree = locate_tree(say)
        with tempfile.TemporaryDirectory(prefix="ocr-job-") as work:
            outcome = run_trainer(job, resolved, dataset, resume, tree, stop, Path(work), hosts, say)
            if hosts.place.leads:
                collect_model(outcome, paths.model)
        return hosts.finish(outcome.exit_code)


def report_failure(paths: JobPaths, reason: str, exit_code: int) -> int:
    """Say why where people and SageMaker look for it: on stderr, as an event line, in output/failure."""
    say(f"error: {reason}")
    print_event("failed", reason=reason)
    try:
        write_failure(paths.failure, reason)
    except OSError as error:
        say(f"note: {paths.failure} cannot be written ({error.strerror})")
    return exit_code


def say(line: str) -> None:
    """One line for people, at once."""
    print(line, file=sys.stderr, flush=True)
