"""How fast a dataset goes to S3, beside boto3's upload_file, one file after the other.

python -m benchmarks.upload [--files 2000] [--bytes 5000] [--rounds 5] [--delay-ms 0]

Both send the same files to the same S3 (moto, in a process of its own, which closes the connection after each answer
and takes milliseconds of CPU for it). Rounds are interleaved; prints medians in files/s and their ratio, and the time
of an upload that finds everything there.
--delay-ms is what S3 takes for each request: 20 to 40 ms within a region, for a small PUT.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from data_preparation.dataset_files import LocalDataset, read_dataset
from data_preparation.s3 import upload_dataset
from tests.data_preparation.folders import dataset
from tests.data_preparation.s3_endpoint import BUCKET, run_s3
from tests.launcher.aws_stand_in import KEYS, REGION


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--bytes", type=int, default=5000, help="of each image")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.delay_ms / 1000)
        return
    with tempfile.TemporaryDirectory(prefix="ocr-upload-") as name, s3_elsewhere(options.delay_ms):
        folder = draw(Path(name) / "crops", options.files, options.bytes)
        session = boto3.Session(*KEYS, region_name=REGION)
        rows = [one_round(folder, session, f"round-{number}") for number in range(options.rounds)]
    ours, again, hashing, theirs = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"\nmedian of {options.rounds} rounds: {options.files:,} images of {options.bytes:,} bytes,", end=" ")
    print(f"{options.delay_ms:g} ms a request")
    print(f"upload_dataset               {ours:7.2f} s  {options.files / ours:7.0f} files/s")
    print(f"  before it: check and hash  {hashing:7.2f} s  {options.files / hashing:7.0f} files/s")
    print(f"  once more, all is there    {again:7.2f} s")
    print(f"boto3 upload_file, in turn   {theirs:7.2f} s  {options.files / theirs:7.0f} files/s")
    print(f"ratio: {theirs / ours:.2f}x, with checking and hashing {theirs / (ours + hashing):.2f}x")


def one_round(folder: Path, session: Any, name: str) -> tuple[float, float, float, float]:
    """Seconds of the upload, of one more, of reading the folder before it, and of the peer."""
    began = time.perf_counter()
    local = read_dataset(folder)
    hashing = time.perf_counter() - began
    prefix = f"s3://{BUCKET}/{name}"
    ours = timed_upload(local, prefix, session)
    again = timed_upload(local, prefix, session)
    theirs = in_turn(local, session, f"{name}/peer/")
    print(f"{ours:.2f}  {again:.2f}  {hashing:.2f}  {theirs:.2f}", flush=True)
    return ours, again, hashing, theirs


def timed_upload(local: LocalDataset, prefix: str, session: Any) -> float:
    began = time.perf_counter()
    upload_dataset(local, prefix, session, REGION)
    return time.perf_counter() - began


def in_turn(local: LocalDataset, session: Any, stem: str) -> float:
    """The peer: what a loop over the files does, with S3 verifying the same checksum."""
    began = time.perf_counter()
    client = session.client("s3")
    for files in (local.texts, local.images):
        for file in files:
            path = str(local.folder / file.path)
            client.upload_file(path, BUCKET, stem + file.path, ExtraArgs={"ChecksumAlgorithm": "SHA256"})
    return time.perf_counter() - began


def draw(folder: Path, count: int, size: int) -> Path:
    """A dataset whose images are filled up to the size with bytes that no two share."""
    dataset(folder, {f"{number:06}.png": str(number) for number in range(count)}, {"v.png": "1"})
    for path in (folder / "images").iterdir():
        with path.open("ab") as stream:
            stream.write(os.urandom(max(0, size - path.stat().st_size)))
    return folder


@contextmanager
def s3_elsewhere(delay_ms: float) -> Iterator[None]:
    """S3 in another process, known to boto3 by the environment."""
    command = [sys.executable, "-m", "benchmarks.upload", "--serve", "--delay-ms", str(delay_ms)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        os.environ["AWS_ENDPOINT_URL_S3"] = server.stdout.readline().strip()
        boto3.client("s3", REGION, aws_access_key_id=KEYS[0], aws_secret_access_key=KEYS[1]).create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        yield
    finally:
        server.terminate()
        server.wait()


def serve(delay_s: float) -> None:
    with run_s3() as endpoint:
        endpoint.delay_s = delay_s
        print(endpoint.url, flush=True)
        sys.stdin.read()  # until the starter is gone


if __name__ == "__main__":
    main()
