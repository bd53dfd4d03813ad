"""Several trainers at once: started by paddle.distributed.launch, watched, heard, and ended together.

launch itself notices a dead rank within a second, but not which rank died first or of what; while it waits, the others
hang in an all-reduce, or die of the lost connection and look like the cause. So the ranks are watched here.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from container.hosts import HostFailed, Hosts, Place
from container.job import Job
from container.last_words import KEPT
from container.lifeline import end_all_others, kill_group
from container.on_lifeline import STDIN
from container.order import LOST_ANOTHER_RANK, WorkOrder
from container.rank_files import FOLDER_VARIABLE, GOOD_ENDS, End, RankFiles
from container.stop import Stop
from contract.errors import UserError
from contract.events import PREFIX
from contract.paths import EXIT_FAILED, LIFELINE_VARIABLE

TICK_S = 0.1
SETTLE_S = 1.0  # after the first death: who else dies, and of what, tells the cause from what follows from it
OTHER_HOSTS_S = 15.0  # where ranks have only lost another, its own host knows why
SAVE_S = 20.0  # a rank that gave up leaves the others this time: the first one saves what was learnt
TAIL_LINES = 40
LAUNCH_LOG = "launch.log"


@dataclass(frozen=True)
class TrainerEnd:
    """How a trainer ended: its exit code, negative for a signal; the sentence that it left when it failed, if it did;
    the end of what it printed; and, of several, which one it was."""

    exit_code: int
    sentence: str = ""
    last_words: str = ""
    who: str = ""


def launch_command(place: Place, folder: Path, order: Path) -> list[str]:
    """What starts this host's ranks. Never `--ips`: with host names in it, every host takes itself for rank 0."""
    launch = [sys.executable, "-m", "container.on_lifeline", "paddle.distributed.launch"]
    launch += ["--master", place.master, "--nnodes", str(len(place.counts)), "--rank", str(place.rank)]
    launch += ["--host", place.address, "--nproc_per_node", str(place.processes)]
    launch += ["--log_dir", str(folder), "--enable_gpu_log", "False", "--max_restart", "0"]
    return [*launch, sys.executable, "-m", "container.trainer", str(order)]


def network_variables(job: Job, environment: Mapping[str, str]) -> dict[str, str]:
    """What tells NCCL and gloo by which network hosts reach each other; SageMaker names it."""
    network = job.network
    if len(job.hosts) == 1 or network not in [name for _, name in socket.if_nameindex()]:
        return {}
    return {name: network for name in ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME") if name not in environment}


def run_ranks(
    order: WorkOrder, work: Path, hosts: Hosts, stop: Stop, extra: Mapping[str, str], say: Callable[[str], None]
) -> TrainerEnd:
    """Run this host's ranks to their end. Returns that of the one that speaks for them: the first, or the one that
    failed first. Raises what has ended another host (container/hosts.py).
    """
    ranks = _Ranks(order, work, hosts.place, extra)
    ranks.start(work / "order.json")  # a stop in its midst ends the supervisor, and with the lifeline the ranks
    try:
        while not (ranks.failed or ranks.ended):
            for trainer in ranks.trainers:
                stop.trainer_started(trainer)
            ranks.forward_log()
            hosts.check()
            time.sleep(TICK_S)
        stop.trainer_ended()
        if ranks.ended:
            return TrainerEnd(ranks.ends[0].exit_code)
        _listen(hosts, SETTLE_S)
        if ranks.lost_another:
            _listen(hosts, OTHER_HOSTS_S)
        if ranks.gave_up:
            ranks.wait(SAVE_S)
        return ranks.cause(say)
    except (HostFailed, UserError):
        ranks.wait(SAVE_S)
        raise
    finally:
        stop.trainer_ended()
        ranks.end()


def _listen(hosts: Hosts, seconds: float) -> None:
    """Whatever another host has to say in this time is raised."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        hosts.check()
        time.sleep(TICK_S)


_GIVING_UP = End(EXIT_FAILED, float("inf"))  # of a rank that has said why and is still on its way out


class _Ranks:
    """The ranks of this host, and the launch process between them and here."""

    def __init__(self, order: WorkOrder, work: Path, place: Place, extra: Mapping[str, str]):
        self.order, self.place = order, place
        self.folder = work / "ranks"
        self.folder.mkdir()
        self.files = [RankFiles(self.folder, local) for local in range(place.processes)]
        self.environment = os.environ | {LIFELINE_VARIABLE: STDIN, FOLDER_VARIABLE: str(self.folder)} | dict(extra)
        self.forwarded = 0  # bytes of the first rank's log

    def start(self, order: Path) -> None:
        lifeline, self.held = os.pipe()
        with (self.folder / LAUNCH_LOG).open("wb") as log:
            self.launch = subprocess.Popen(
                launch_command(self.place, self.folder, order),
                env=self.environment | {"PYTHONUNBUFFERED": "1"},
                stdin=lifeline,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        os.close(lifeline)

    def end(self) -> None:
        """Nothing of them is left running, and everything that the first one said has been passed on."""
        os.close(self.held)
        kill_group(self.launch.pid)
        self.launch.wait()
        for each in self.files:
            if each.started:
                kill_group(each.started.group)
        end_all_others()
        self.forward_log(to_the_end=True)

    @property
    def ends(self) -> dict[int, End]:
        """How ranks have ended, by their number on this host."""
        found = {each.local: each.end for each in self.files}
        return {local: end for local, end in found.items() if end}

    @property
    def trainers(self) -> list[int]:
        """The processes that train now."""
        return [each.started.trainer for each in self.files if each.started and not each.end]

    @property
    def failed(self) -> bool:
        """A rank has failed, or has said why it will (its exit may wait for a GPU that waits for the others), or launch
        has, which has no reason to end before its ranks do."""
        launch_ended = self.launch.poll() is not None  # before looking at the ranks: they may end well just now
        ends = self.ends
        return bool(self._bad_ends()) or self.gave_up or (launch_ended and len(ends) < len(self.files))

    @property
    def ended(self) -> bool:
        """All of them have, and well."""
        ends = self.ends
        return len(ends) == len(self.files) and all(end.exit_code in GOOD_ENDS for end in ends.values())

    @property
    def lost_another(self) -> bool:
        """Nothing is wrong with any rank of this host but that another one is gone, which is on another host."""
        codes = {end.exit_code for end in self._bad_ends().values()}
        return len(self.place.counts) > 1 and codes == {LOST_ANOTHER_RANK}

    @property
    def gave_up(self) -> bool:
        """A rank ends on purpose; others may be about to."""
        return bool(self._told())

    def wait(self, seconds: float) -> None:
        """For all ranks to end by themselves."""
        until = time.monotonic() + seconds
        while len(self.ends) < len(self.files) and time.monotonic() < until:
            time.sleep(TICK_S)

    def cause(self, say: Callable[[str], None]) -> TrainerEnd:
        """Of the rank that has said why, or else failed first; the end of its log is shown."""
        bad = self._bad_ends() | {local: self.ends.get(local, _GIVING_UP) for local in self._told()}
        if not bad:
            _show("launch", self.folder / LAUNCH_LOG, say)
            code = self.launch.poll()
            return TrainerEnd(EXIT_FAILED, f"paddle.distributed.launch ended with exit code {code} before its ranks")
        told = self._told()  # an abort of those that it left may come first
        local = min(bad, key=lambda each: (each not in told, bad[each].exit_code == LOST_ANOTHER_RANK, bad[each].at))
        rank, code = self.place.first_rank + local, bad[local].exit_code
        if rank > 0:  # the first one's log is out already
            _show(f"rank {rank}", self.files[local].log, say)
        sentence, who = self.order.read_failure(local), f"rank {rank} of {self.place.world}"
        return TrainerEnd(code, sentence, _read(self.files[local].log), who)

    def _told(self) -> list[int]:
        """Ranks of this host that have left a sentence, ended or about to."""
        return [each.local for each in self.files if self.order.read_failure(each.local)]

    def _bad_ends(self) -> dict[int, End]:
        return {local: end for local, end in self.ends.items() if end.exit_code not in GOOD_ENDS}

    def forward_log(self, to_the_end: bool = False) -> None:
        """What the first rank of all has printed since the last time: event lines on stdout, the rest on stderr."""
        log = self.files[0].log
        if not (self.place.leads and log.exists()):
            return
        with log.open("rb") as file:
            file.seek(self.forwarded)
            new = file.read()
        if not to_the_end:
            new = new[: new.rfind(b"\n") + 1]
        self.forwarded += len(new)
        for line in new.decode("utf-8", errors="replace").splitlines():
            stream = sys.stdout if line.startswith(PREFIX) else sys.stderr
            stream.write(line + "\n")  # in one write: GPU events come from another thread
            stream.flush()


def _show(name: str, log: Path, say: Callable[[str], None]) -> None:
    """The last lines of a log, each with its origin."""
    for line in _read(log).splitlines()[-TAIL_LINES:]:
        say(f"{name}| {line}")


def _read(log: Path) -> str:
    """The end of a log."""
    return log.read_bytes()[-KEPT:].decode("utf-8", errors="replace") if log.exists() else ""
