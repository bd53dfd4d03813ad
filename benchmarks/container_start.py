"""How long a container takes from its start to its first training step, beside Paddle's own import in the same image.

python -m benchmarks.container_start [--image NAME] [--rounds 7]

Interleaved rounds; prints medians in seconds and their ratio. The engine's own share is in it: it starts the container.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import docker

from contract.events import parse_event
from launcher.engine import connect
from launcher.images.image import image_for
from tests.container.jobs import draw_dataset

IMPORT = "import time; began = time.perf_counter(); import paddle; print(time.perf_counter() - began)"
PARAMETERS = {"config": "rec/demo_digits.yml", "run_id": "start", "epochs": "1", "Global.print_batch_step": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", help="default: the newest one built here from these sources")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    client = connect()
    image = options.image or image_for(client, "cpu").name
    rows = []
    with tempfile.TemporaryDirectory(prefix="ocr-start-") as folder:
        dataset = draw_dataset(Path(folder) / "digits", train=64, val=8)
        for number in range(options.rounds):
            begins, ends = start_to_first_step(client, image, Path(folder) / f"ml{number}", dataset)
            alone = paddle_import(client, image)
            rows.append((begins, ends, alone, begins - alone, ends - alone))
            print("  ".join(f"{value:.2f}" for value in rows[-1]), flush=True)
    begins, ends, alone, rest, rest_with_step = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"\nmedian of {options.rounds} rounds, image {image}")
    print(f"container start to the beginning of the first step  {begins:.2f} s")
    print(f"container start to the end of the first step        {ends:.2f} s")
    print(f"Paddle's own import, in the same image              {alone:.2f} s")
    print(f"without it: {rest:.2f} s to the beginning, {rest_with_step:.2f} s to the end of the first step")
    print(f"ratio to Paddle's import alone: {begins / alone:.2f}x")


def start_to_first_step(client: docker.DockerClient, image: str, base: Path, dataset: Path) -> tuple[float, float]:
    """Seconds from the call that starts the container until `event=job` and until the event of step 1."""
    (base / "input/config").mkdir(parents=True)
    (base / "input/config/hyperparameters.json").write_text(json.dumps(PARAMETERS))
    volumes = [f"{base}:/opt/ml", f"{dataset}:/opt/ml/input/data/training:ro"]
    container = client.containers.create(image, "train", volumes=volumes, network_mode="none")
    try:
        began = time.perf_counter()
        container.start()
        begins = 0.0
        for line in container.logs(stream=True, follow=True):
            event = parse_event(line.decode(errors="replace")) or {}
            if event.get("event") == "job":
                begins = time.perf_counter() - began
            if event.get("event") == "train":
                return begins, time.perf_counter() - began
        raise SystemExit(f"the container ended before its first step: {container.logs().decode()}")
    finally:
        container.remove(force=True)


def paddle_import(client: docker.DockerClient, image: str) -> float:
    """Seconds that `import paddle` takes in a container of its own."""
    said = client.containers.run(image, ["-c", IMPORT], entrypoint=["python"], remove=True, network_mode="none")
    return float(said.decode().split()[-1])


if __name__ == "__main__":
    main()
