"""How much CPU the commands take before they do anything, beside `import sagemaker`, which each script on the SDK pays.

python -m benchmarks.command_line [--rounds 5]

User and system time of whole processes, rounds interleaved: `--help` of every verb (goal: at most 120 ms), a dry run of
a job whose dataset lies in S3 (goal: at most 1.5 s; AWS is the scripted service of the tests, in this process), and
the peer. Prints medians and ratios.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from launcher.flags import VERBS
from tests.launcher.an_account import an_account
from tests.launcher.running import RECIPE, ROOT

BUCKET, ROLE = "my-bucket", "ocr-train-exec"
DRY_RUN = "submit --dry-run"
PEER = "import sagemaker"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    commands = {f"{verb} --help": ["-m", f"launcher.{verb}", "--help"] for verb in VERBS}
    job = ["--instance", "ml.g4dn.xlarge", "--config", RECIPE, "--run", "lines", "--bucket", BUCKET, "--role", ROLE]
    with (
        pytest.MonkeyPatch.context() as environment,
        tempfile.TemporaryDirectory(prefix="ocr-cli-") as name,
        an_account(environment, Path(name), speed=0) as account,
    ):
        image = account.make_ready(BUCKET, ROLE)
        for file in ("train.txt", "dict.txt"):
            account.client("s3").put_object(Bucket=BUCKET, Key=f"ocr/mine/{file}", Body=b"x")
        dataset = f"s3://{BUCKET}/ocr/mine"
        commands[DRY_RUN] = ["-m", "launcher.submit", *job, "--image-uri", image, "--dataset", dataset, "--dry-run"]
        commands[PEER] = ["-c", PEER]
        rounds = [{each: cpu_s(words) for each, words in commands.items()} for _ in range(options.rounds)]
    medians = {each: statistics.median(times[each] for times in rounds) for each in commands}
    print(f"CPU, median of {options.rounds} rounds; ratio to `{PEER}`")
    for each, seconds in medians.items():
        print(f"{each:18} {seconds * 1000:7.0f} ms  {medians[PEER] / seconds:6.1f}x less")


def cpu_s(words: list[str]) -> float:
    """User and system seconds of a Python process, which must end well."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
