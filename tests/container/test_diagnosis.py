"""Every end that nobody foresaw becomes cause and remedy in one line: the real words of Paddle, and real faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from container.diagnosis import Circumstances, explain_end, in_one_line, memory_kills
from contract.paths import FAILURE_LIMIT
from tests.container.jobs import ROOT, Base, draw_dataset

AT = Circumstances(batch_size=128, workers=4)

# As Paddle 3.x, CUDA, NCCL and gloo say it.
WORDS = {
    "GPU memory": (
        "MemoryError: \n\n--------------------------------------\nC++ Traceback (most recent call last):\n"
        "--------------------------------------\n0   paddle::pybind::eager_api_conv2d(_object*)\n"
        "----------------------\nError Message Summary:\n----------------------\nResourceExhaustedError: \n\n"
        "Out of memory error on GPU 0. Cannot allocate 129.394531MB memory on GPU 0, 23.611938GB memory has been "
        "allocated and available memory is only 31.687500MB.\n\nPlease check whether there is any other process using "
        "GPU 0.\n1. If yes, please stop them, or start PaddlePaddle on another GPU.\n2. If no, please decrease the "
        "batch size of your model. \n (at /paddle/paddle/phi/core/memory/allocation/cuda_allocator.cc:71)\n",
        ["the GPU's memory is full", "Cannot allocate 129.394531MB", "set batch_size=64 (it is 128)"],
    ),
    "GPU memory, by cuDNN": (
        "OSError: (External) CUDNN error(4), CUDNN_STATUS_ALLOC_FAILED. \n  [Hint: ...] (at /paddle/a.cc:1)\n",
        ["the GPU's memory is full", "batch_size=64"],
    ),
    "host memory": (
        "MemoryError: (ResourceExhausted) Fail to alloc memory of 268435456 size, error code is 12.\n"
        "  [Hint: Expected error == 0, but received error:12 != 0:0.] "
        "(at /paddle/paddle/phi/core/memory/allocation/cpu_allocator.cc:44)\n",
        ["the machine's memory is full", "268435456", "batch_size=64 (it is 128), workers=2 (it is 4)"],
    ),
    "driver": (
        "OSError: (External) CUDA error(35), CUDA driver version is insufficient for CUDA runtime version. \n"
        "  [Hint: 'cudaErrorInsufficientDriver'. This indicates that the installed NVIDIA CUDA driver is older than "
        "the CUDA runtime library.] (at /paddle/paddle/phi/backends/gpu/cuda/cuda_info.cc:78)\n",
        ["the NVIDIA driver is too old for this image's CUDA", "CUDA error(35)", "--cuda cu118"],
    ),
    "card": (
        "OSError: (External) CUDA error(209), no kernel image is available for execution on the device. \n",
        ["holds no code for this GPU", "--cuda cu118"],
    ),
    "broken card": (
        "OSError: (External) CUDA error(719), unspecified launch failure. \n  [Hint: ...] (at /paddle/g.cc:1)\n",
        ["the GPU failed (CUDA error(719), unspecified launch failure.)", "on another machine"],
    ),
    "no driver": (
        "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory\n",
        ["there is no NVIDIA driver", "take a GPU instance"],
    ),
    "killed worker": (
        "container.trainer.workers.WorkerDied: a data worker died of signal 9 (SIGKILL)\n",
        ["a data worker died of signal 9 (SIGKILL), most often for memory", "workers=2 (it is 4)"],
    ),
    "worker that ended": (
        "container.trainer.workers.WorkerDied: a data worker ended with exit code 3\n",
        ["a data worker ended with exit code 3", "workers=0"],
    ),
    "worker's own error": (
        'container.trainer.workers.WorkerFailed: Traceback (most recent call last):\n  File "a.py", line 1, in work\n'
        "RuntimeError: the lens is dirty\n",
        ["the trainer failed: RuntimeError: the lens is dirty"],
    ),
    "NCCL": (
        "OSError: (External) NCCL error(2), unhandled system error. \n  [Hint: Please search for the error code(2) on "
        "website] (at /paddle/paddle/phi/core/distributed/nccl_comm_context.cc:86)\n",
        ["lost each other (NCCL error(2), unhandled system error.)", "continues from its checkpoint"],
    ),
    "NCCL time-out": (
        "W1128 03:58:21.000000 12 comm_task_manager.cc:270] Find timeout start but not finish task: "
        "op:ALLREDUCE,rank:1,size:2\n",
        ["lost each other (Find timeout start but not finish task", "NCCL_DEBUG=INFO"],
    ),
    "gloo": (
        "terminate called after throwing an instance of 'gloo::TimeoutException'\n  what():  Application timeout "
        "caused pair closure\n",
        ["lost each other (gloo::TimeoutException", "start the run again"],
    ),
    "weights": (
        "ValueError: head.fc.weight receives a shape [96, 97], but the expected shape is [96, 143].\n",
        ["the weights do not fit the network", "[96, 143]", "another dictionary or recipe"],
    ),
    "optimizer": (
        "AssertionError: Variable Shape not match, Variable [ linear_1.w_0_moment1_0 ] need tensor with shape "
        "paddle.Size([3, 4]) but load set tensor with shape paddle.Size([7, 7])\n",
        ["the weights do not fit the network", "another dictionary or recipe"],
    ),
    "disk": (
        "OSError: [Errno 28] No space left on device: '/opt/ml/checkpoints/.tmp-1/model.pdopt'\n",
        ["no space left on the device for /opt/ml/checkpoints/.tmp-1/model.pdopt", "bigger volume"],
    ),
    "package": (
        "ModuleNotFoundError: No module named 'albumentations'\n",
        ["the Python package albumentations is missing"],
    ),
    "shapes": (
        "ValueError: (InvalidArgument) In operator matmul, the [1] dimension of Input(X) must be equal to the [0] "
        "dimension of Input(Y).\n  [Hint: Expected K_lhs == K_rhs, but received K_lhs:5 != K_rhs:3.] (at "
        "/paddle/paddle/phi/infermeta/binary.cc:3087)\n  [operator < linear > error]\n",
        ["the trainer failed: ValueError: (InvalidArgument) In operator matmul"],
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_the_words_of_an_end_are_understood(case: str):
    words, parts = WORDS[case]
    sentence = explain_end(2, f"recipe demo, what changed and why:\nTraceback (most recent call last):\n{words}", AT)
    assert "\n" not in sentence
    assert len(sentence) <= FAILURE_LIMIT
    for part in parts:
        assert part in sentence


@pytest.mark.parametrize(
    ("code", "at", "part"),
    [
        (-signal.SIGKILL, AT, "the trainer was killed (signal 9), most often for memory"),
        (-signal.SIGKILL, Circumstances(1, 0, memory_kills=1), "ran out of memory and the kernel killed the trainer"),
        (-signal.SIGBUS, AT, "a bus error: a shard of the dataset was cut"),
        (-signal.SIGSEGV, AT, "the trainer died of signal 11 (SIGSEGV): its last lines are in the log"),
        (3, AT, "the trainer ended with exit code 3: its last lines are in the log"),
    ],
)
def test_a_death_without_words_is_told_by_its_code(code: int, at: Circumstances, part: str):
    assert part in explain_end(code, "checked 10,000 of 20,000 samples\n", at)


def test_somebody_elses_text_fits_into_a_sentence():
    assert in_one_line("Error Message Summary:\n------\nA\n b [Hint: c\nd] (at /paddle/x.cc:12)\n") == "A b"
    assert len(in_one_line("word " * 1000)) == 300


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("memory.events", "low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n"),
        ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
    ],
)
def test_the_kernel_says_whom_it_killed_for_memory(tmp_path: Path, file: str, text: str):
    assert memory_kills(tmp_path) is None
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert memory_kills(tmp_path) == 2


def test_last_words_are_passed_on_whole():
    script = """
import subprocess, sys
from container.last_words import KEPT, LastWords
say = "import os, time; [os.write(2, b'%6d ' % n * 5000) for n in range(20)]; os.write(2, b'end'); time.sleep(0.5)"
child = subprocess.Popen([sys.executable, "-c", say], stderr=subprocess.PIPE, bufsize=0)
words = LastWords(child.stderr)
child.wait()
text = words.text()
assert len(text) == KEPT and text.endswith("    19 end"), text[-20:]
"""
    code, words = last_words([sys.executable, "-c", script])
    assert code == 0, words[-500:]
    assert words == "".join(f"{number:6d} " * 5000 for number in range(20)) + "end"


SAYS = r"""
import os, time
os.write(2, b"note: half of a line")
time.sleep(0.3)
os.write(1, b"[ocr] event=done step=1\n")
time.sleep(0.3)
os.write(2, b" and its end\nfatal")
"""


def test_an_event_does_not_get_into_a_line_of_stderr():
    """Python writes a line and its end apart when it is unbuffered, and both streams of a trainer are one log."""
    script = """
import subprocess, sys
from container.last_words import LastWords
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stderr=subprocess.PIPE, bufsize=0)
words = LastWords(child.stderr)
child.wait()
assert words.text() == "note: half of a line and its end\\nfatal"
"""
    command = [sys.executable, "-c", script, SAYS]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.stdout == "[ocr] event=done step=1\nnote: half of a line and its end\nfatal"


# ---------------------------------------------------------------- real faults


def last_words(command: list[str], **options: object) -> tuple[int, str]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, **options)  # type: ignore[call-overload]
    return done.returncode, done.stderr.decode(errors="replace")


def test_memory_that_is_really_full():
    script = (
        "import resource, paddle; resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33)); paddle.rand([1 << 33])"
    )
    code, words = last_words([sys.executable, "-c", script])
    assert code == 1
    assert "the machine's memory is full" in explain_end(code, words, AT)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_trainer_that_is_really_killed(tmp_path: Path):
    base = Base(
        tmp_path / "ml", draw_dataset(tmp_path / "digits", train=4, val=2), config="configs/rec/demo_digits.yml"
    )
    child = base.start("train")
    while not (trainer := Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()):
        assert child.poll() is None
        time.sleep(0.01)
    os.kill(int(trainer[0]), signal.SIGKILL)
    child.communicate()
    assert child.returncode == 2
    assert base.failure == (
        "the trainer was killed (signal 9), most often for memory: use a smaller batch_size or a bigger instance"
    )


def test_an_exception_that_nobody_foresaw_is_told_through_the_real_container(tmp_path: Path):
    """A package that the trainer cannot import; its traceback reaches the log whole."""
    dataset = draw_dataset(tmp_path / "digits", train=4, val=2)
    base = Base(tmp_path / "ml", dataset, config="configs/rec/demo_digits.yml")
    (tmp_path / "paddle").mkdir()
    (tmp_path / "paddle/__init__.py").write_text("import a_package_that_is_not_there\n")
    finished = base.run(env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
    assert finished.code == 2
    assert base.failure.startswith("the Python package a_package_that_is_not_there is missing: ")
    assert "Traceback (most recent call last)" in finished.errors
    assert "import a_package_that_is_not_there" in finished.errors
