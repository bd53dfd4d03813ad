"""A container that speaks the contract and trains nothing: the child of the launcher's tests.

`scripted_container.py [--steps N] [--pause S] [--refuse TEXT] [--fail CODE] [--deaf] [--no-model] …`
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from contract.events import format_event
from contract.paths import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REFUSED, JobPaths

STEPS_PER_EPOCH = 10


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.01, help="seconds per step")
    parser.add_argument("--refuse", default="", help="write output/failure, exit 1")
    parser.add_argument("--refuse-again", default="", help="the same, but not at the first start of a call")
    parser.add_argument("--exit", type=int, default=None, help="exit at once with this code, without a word")
    parser.add_argument("--export-on-stop", action="store_true", help="write the best model so far when stopped")
    parser.add_argument("--fail", type=int, default=0, help="exit with this code half-way")
    parser.add_argument("--fail-on", default="", help="exit with 2 at once on this host")
    parser.add_argument("--deaf", action="store_true", help="ignore SIGTERM")
    parser.add_argument("--no-model", action="store_true", help="exit 0 without a model")
    parser.add_argument("--torn-model", action="store_true", help="exit 0 with half a run.json")
    parser.add_argument("--leave-a-child", action="store_true", help="a process that holds stdout and outlives us")
    parser.add_argument("--say", default="", help="print this line")
    options = parser.parse_args()
    paths = JobPaths.from_environment(os.environ)
    hold_lifeline()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if options.deaf else lambda *_: stopped.set())
    parameters = json.loads(paths.hyperparameters.read_text(encoding="utf-8"))
    json.loads(paths.input_data_config.read_text())
    host = json.loads(paths.resource_config.read_text())["current_host"]
    print(f"scripted container {os.getpid()} {json.dumps(parameters, ensure_ascii=False)}", file=sys.stderr)
    if options.say:
        print(options.say)
    if options.fail_on == host:
        return EXIT_FAILED
    if options.exit is not None:
        return options.exit
    started = paths.base / "started"  # the private folder is the same for all attempts of a call
    refuse = options.refuse or (options.refuse_again if started.exists() else "")
    started.touch()
    if refuse:
        paths.failure.write_text(refuse + "\nmore\n")
        print(f"error: {refuse}", file=sys.stderr)
        return EXIT_REFUSED
    if options.leave_a_child and os.fork() == 0:
        os.setsid()
        time.sleep(30)
        os._exit(0)
    step = resumed = newest_step(paths.checkpoints)
    if resumed:
        print(format_event("resume", step=resumed, epoch=resumed // STEPS_PER_EPOCH), flush=True)
    train = len((paths.channel("training") / "train.txt").read_text().splitlines())
    print(
        format_event(
            "job",
            run=parameters["run_id"],
            epochs=options.steps // STEPS_PER_EPOCH,
            steps=options.steps,
            steps_per_epoch=STEPS_PER_EPOCH,
            train=train,
            val=1,
            batch_size=8,
        ),
        flush=True,
    )
    while step < options.steps:
        time.sleep(options.pause)
        step += 1
        epoch = -(-step // STEPS_PER_EPOCH)
        print(
            format_event(
                "train", step=step, epoch=epoch, loss=1 / step, lr=0.001, samples_per_s=800.0, reader_share=0.02
            ),
            flush=True,
        )
        if options.fail and step >= options.steps // 2:
            paths.failure.write_text("the disk is full: free space and start the run again\n")
            print(format_event("failed", reason="the disk is full"), flush=True)
            return options.fail
        if stopped.is_set():
            publish(paths.checkpoints, step)
            if options.export_on_stop:
                write_model(paths.model, parameters["run_id"], step, resumed, "stopped")
            print(format_event("interrupted", step=step), flush=True)
            return EXIT_INTERRUPTED
        if step % STEPS_PER_EPOCH == 0:
            publish(paths.checkpoints, step)
            print(format_event("phase", name="evaluating", step=step), flush=True)
            print(format_event("eval", step=step, acc=0.9, cer=0.05, norm_edit_dis=0.95), flush=True)
    print(format_event("phase", name="exporting", step=step), flush=True)
    if not options.no_model:
        write_model(paths.model, parameters["run_id"], step, resumed)
    if options.torn_model:
        (paths.model / "run.json").write_text('{"run": "r", "sta')
    print(format_event("done", step=step, acc=0.9), flush=True)
    return 0


def publish(checkpoints: Path, step: int) -> None:
    (checkpoints / f"step-{step:09d}").mkdir(exist_ok=True)
    print(format_event("checkpoint", step=step), flush=True)


def newest_step(checkpoints: Path) -> int:
    return max((int(path.name.removeprefix("step-")) for path in checkpoints.glob("step-*")), default=0)


def write_model(model: Path, run: str, step: int, resumed: int, status: str = "finished") -> None:
    (model / "inference").mkdir(exist_ok=True)
    (model / "inference/inference.json").write_text("{}")
    (model / "dict.txt").write_text("0\n1\n")
    (model / "run.json").write_text(
        json.dumps(
            {
                "run": run,
                "status": status,
                "best": {"acc": 0.9, "cer": 0.05, "norm_edit_dis": 0.95, "epoch": 2, "step": step},
                "resumed_from": resumed or None,
                "steps": step,
                "seconds": 1.5,
                "versions": {},
                "dataset": {},
                "config": {},
            }
        )
    )


def hold_lifeline() -> None:
    """End at once when the launcher is gone, as the real container does. In Docker there is no such pipe."""
    if "OCR_LIFELINE_FD" in os.environ:
        descriptor = int(os.environ["OCR_LIFELINE_FD"])
        threading.Thread(target=lambda: (os.read(descriptor, 1), os._exit(3)), daemon=True).start()


if __name__ == "__main__":
    raise SystemExit(main())
