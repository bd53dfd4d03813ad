"""Several processes and hosts train one network, and it is the same run however many they are."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from container.hosts import Line, Place
from container.launched import launch_command
from container.processes import choose_processes
from contract.errors import UserError
from tests.container.jobs import Base, Finished, at_step, draw_dataset

RECIPE = {
    "config": "configs/rec/demo_digits.yml",
    "epochs": 4,
    "batch_size": 4,  # of each process
    "eval_steps": 5,
    "workers": 0,
    "save_minutes": 0,
    "Global__print_batch_step": 1,
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("data") / "digits", train=20, val=5)


def test_a_run_goes_from_one_process_to_two_hosts_to_two_processes_and_back(dataset: Path, tmp_path: Path):
    """1 → 2 → 2 → 1; what two processes continue is bit by bit what two hosts did without an interruption."""
    alone = Base(tmp_path / "alone", dataset, **RECIPE)
    assert alone.run(stop_when=at_step(2)).code == 75

    hosts = two_hosts(tmp_path, dataset)
    shutil.copytree(alone.folder / "checkpoints", hosts[0].folder / "checkpoints")
    copies = tmp_path / "copies"
    first, second = run_together(hosts, stop_when=keep_checkpoints(hosts[0].folder / "checkpoints", copies))
    assert (first.code, second.code) == (0, 0), first.errors + second.errors
    assert first.of("job")[0]["processes"] == 2
    assert first.of("job")[0]["batch_size"] == 8
    start = int(alone.checkpoints()[-1].name.removeprefix("step-"))
    assert first.of("resume")[0]["step"] == start
    assert [event["step"] for event in first.of("train")] == list(range(start + 1, first.of("done")[0]["step"] + 1))
    assert second.events == [], "the first rank speaks for all"
    assert hosts[0].report()["processes"] == 2
    assert not (hosts[1].folder / "model").exists()
    assert not (hosts[1].folder / "checkpoints").exists()
    assert re.search(r"Optimizer.lr.values .* the recipe's is for one process, and 2 train", first.errors)

    two = Base(tmp_path / "two", dataset, **RECIPE, processes=2)
    shutil.copytree(copies / f"step-{start + 2:09d}", two.folder / f"checkpoints/step-{start + 2:09d}")
    stopped = two.run(stop_when=at_step(start + 4))
    assert stopped.code == 75, stopped.errors
    step = stopped.of("interrupted")[0]["step"]
    assert step < first.of("done")[0]["step"], "it was stopped before its end"
    assert arrays(two.folder / f"checkpoints/step-{step:09d}") == arrays(copies / f"step-{step:09d}")

    two.set(**RECIPE)
    finished = two.run()
    assert finished.code == 0, finished.errors
    assert finished.of("resume")[0]["step"] == step
    assert finished.of("job")[0]["processes"] == 1


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the ranks in /proc")
def test_a_killed_rank_ends_the_job_with_its_cause(dataset: Path, tmp_path: Path):
    base = Base(tmp_path / "ml", dataset, **RECIPE | {"epochs": 1000}, processes=2)
    killed_at: list[float] = []

    def kill_rank_1(event: dict) -> bool:
        if event["event"] == "train" and not killed_at:
            os.kill(trainers(base)[1], signal.SIGKILL)
            killed_at.append(time.monotonic())
        return False

    finished = base.run(stop_when=kill_rank_1)
    assert time.monotonic() - killed_at[0] < 30
    assert finished.code == 2
    assert base.failure.startswith("rank 1 of 2: the trainer was killed (signal 9)")
    assert "rank 1| " in finished.errors, "the end of its log is shown"
    assert trainers(base) == {}
    assert base.checkpoints(), "the run can go on"


def test_a_host_that_never_appears_is_not_waited_for_for_ever(dataset: Path, tmp_path: Path):
    first, second = two_hosts(tmp_path, dataset)
    meeting = {"OCR_MEETING": f"127.0.0.1:{free_port()}", "OCR_MEETING_SECONDS": "1"}
    assert first.run(env=meeting).code == 1
    assert first.failure.startswith("algo-2 did not appear within 1 s, and the job needs all of its 2 hosts")
    assert second.run(env=meeting).code == 1
    assert second.failure.startswith("algo-1, the first of the job's 2 hosts, could not be reached")


def test_what_is_wrong_on_one_host_ends_all(dataset: Path, tmp_path: Path):
    hosts = two_hosts(tmp_path, dataset)
    other = shutil.copytree(dataset, tmp_path / "other")
    (other / "dict.txt").write_text("1\n2\n")
    (hosts[1].folder / "input/data/training").unlink()
    (hosts[1].folder / "input/data/training").symlink_to(other)
    first, second = run_together(hosts)
    assert (first.code, second.code) == (1, 1), first.errors + second.errors
    assert hosts[0].failure.startswith("host algo-2: ")
    assert hosts[0].failure == "host algo-2: " + hosts[1].failure


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n", b"[]\n", b"\xff\n", b""])
def test_whoever_speaks_otherwise_is_no_host(said: bytes):
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as stranger:
            stranger.sendall(said)
        with server.accept()[0] as connection:
            assert Line(connection).received(wait_s=1) == [None]


@pytest.mark.parametrize(("asked", "gpus", "chosen"), [(None, 0, 1), (3, 0, 3), (None, 8, 8), (2, 8, 2), (8, 8, 8)])
def test_one_process_per_gpu_or_as_many_as_asked_for(asked: int | None, gpus: int, chosen: int):
    assert choose_processes(asked, gpus) == chosen


def test_more_processes_than_gpus_are_refused():
    with pytest.raises(UserError, match="processes=4, and this host has 1 GPU: ask for 1 or less"):
        choose_processes(4, 1)


def test_the_launch_command_names_ranks_and_never_ips(tmp_path: Path):
    place = Place(rank=1, counts=(4, 4), address="10.0.0.2", master="10.0.0.1:40001")
    command = " ".join(launch_command(place, tmp_path, tmp_path / "order.json"))
    assert "paddle.distributed.launch --master 10.0.0.1:40001 --nnodes 2 --rank 1" in command
    assert "--nproc_per_node 4" in command
    assert "--ips" not in command
    assert (place.world, place.first_rank, place.leads) == (8, 4, False)


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [8, 9, 15, 64])
def test_shares_cover_a_batch_exactly(world: int, count: int):
    from container.trainer.ranks import share_of, weave

    batch = list(range(count))
    shares = [share_of(batch, rank, world) for rank in range(world)]
    assert sorted(item for share in shares for item in share) == batch
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert weave(shares) == batch


def test_ranks_that_work_on_different_things_are_told_apart():
    from container.trainer.ranks import differences

    same, other = {"the dictionary": "ab", "eval_steps": 5}, {"the dictionary": "cd", "eval_steps": 5}
    assert differences([same, same]) == []
    assert differences([same, same, other]) == ["the dictionary is ab in rank 0 and cd in rank 2"]


def two_hosts(folder: Path, dataset: Path) -> list[Base]:
    names = ("algo-1", "algo-2")
    bases = [Base(folder / name, dataset, **RECIPE) for name in names]
    for base, name in zip(bases, names, strict=True):
        base.place(name, *names)
    return bases


def run_together(hosts: list[Base], stop_when: Callable[[dict], bool] | None = None) -> tuple[Finished, Finished]:
    """Both at the same time; `stop_when` sees the events of the first."""
    env = {"OCR_MEETING": f"127.0.0.1:{free_port()}", "OCR_MEETING_SECONDS": "60"}
    results: dict[int, Finished] = {}
    second = threading.Thread(target=lambda: results.update({1: hosts[1].run("train", env=env)}))
    second.start()
    results[0] = hosts[0].run("train", env=env, stop_when=stop_when)
    second.join()
    return results[0], results[1]


def keep_checkpoints(folder: Path, copies: Path) -> Callable[[dict], bool]:
    """Copies each checkpoint as it is published: the run itself keeps the newest two."""

    def keep(event: dict) -> bool:
        if event["event"] == "checkpoint":
            name = f"step-{event['step']:09d}"
            shutil.copytree(folder / name, copies / name, dirs_exist_ok=True)  # the last step is published twice
        return False

    return keep


def arrays(checkpoint: Path) -> dict[str, bytes]:
    """Weights and optimizer moments, bit by bit."""
    from container.trainer.weights import read_weights

    found = read_weights(checkpoint / "model.pdparams") | read_weights(checkpoint / "model.pdopt")
    return {name: value.tobytes() for name, value in found.items() if hasattr(value, "tobytes")}


def trainers(base: Base) -> dict[int, int]:
    """Rank → process of everything that trains under this folder."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = dict(
                each.partition("=")[::2] for each in (folder / "environ").read_text().split("\0") if "=" in each
            )
            threads = int(re.search(r"Threads:\s+(\d+)", (folder / "status").read_text())[1])
        except OSError:
            continue
        if variables.get("SAGEMAKER_BASE_DIR") == str(base.folder) and "PADDLE_TRAINER_ID" in variables and threads > 1:
            found[int(variables["PADDLE_TRAINER_ID"])] = int(folder.name)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
