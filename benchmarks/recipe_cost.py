"""What a recipe costs: parameters, processor time per training sample, memory per sample of a batch.

python -m benchmarks.recipe_cost [RECIPE…] [--steps 5] [--small 2] [--large 6]

Real training steps in float32 on this machine's CPU, on random crops at the recipe's own size (with a sampler, at the
first scale) and 97 classes. Processor time, because a busy machine makes seconds longer and not this. Memory is the
peak of a process that trains large batches less that of one that trains small ones, per sample; the rest is the
process itself, weights, gradients and Adam's moments.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from resource import RUSAGE_SELF, getrusage
from typing import Any

from contract.batches import scales_of
from contract.recipe import CONFIGS, find_recipe, has_multi_head, limits_of, load_recipe

CLASSES = 97  # 95 printable ASCII characters without the space, the space, blank: en_dict.txt's number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [path.relative_to(CONFIGS).as_posix() for path in sorted((CONFIGS / "rec").rglob("*.yml"))]
    parser.add_argument("recipes", nargs="*", default=every, metavar="RECIPE")
    parser.add_argument("--steps", type=int, default=5, help="timed steps, after two that are not")
    parser.add_argument("--small", type=int, default=2, help="samples of the small batch")
    parser.add_argument("--large", type=int, default=6, help="samples of the large batch")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.recipes[0], options.measure, options.steps)))
        return
    for recipe in options.recipes:
        small, large = (in_a_child(recipe, batch, options.steps) for batch in (options.small, options.large))
        memory = (large["peak_mb"] - small["peak_mb"]) / (options.large - options.small)
        print(
            f"{recipe}: {large['parameters'] / 1e6:.2f} million parameters"
            f" ({large['exported'] / 1e6:.2f} of them read), {large['cpu_s'] / options.large:.3f} CPU-seconds a sample"
            f" at batch {options.large}, {memory:.0f} MB a sample, {small['peak_mb']:.0f} MB at batch {options.small}",
            flush=True,
        )


def in_a_child(recipe: str, batch: int, steps: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.recipe_cost", recipe, "--measure", str(batch), "--steps", str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def measure(recipe: str, samples: int, steps: int) -> dict[str, Any]:
    """Train on one random batch; parameters, those of the exported model, CPU-seconds a step, peak memory."""
    import numpy as np
    import paddle

    from container.trainer.network import build_network
    from container.trainer.paddleocr_tree import enter_tree
    from container.trainer.sampling import Schedule
    from container.tree import locate_tree

    enter_tree(locate_tree(lambda line: print(line, file=sys.stderr)))
    config = load_recipe(find_recipe(recipe))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as dictionary:
        dictionary.write("".join(f"{chr(33 + index)}\n" for index in range(CLASSES - 2)))
        dictionary.flush()
        config["Global"]["character_dict_path"] = dictionary.name
        network = build_network(config, Schedule(1000, samples, 1, 1))
    scales = scales_of(config)
    width, height = scales.sizes[0] if scales else resized_to(config)
    random = np.random.RandomState(1)
    length = min(8, limits_of(config).longest_label)
    images = paddle.to_tensor(random.uniform(-1, 1, (samples, 3, height, width)).astype("float32"))
    longest = config["Global"]["max_text_length"]
    letters = random.randint(5, CLASSES, (samples, length))
    ctc = np.zeros((samples, longest), "int64")
    ctc[:, :length] = letters
    batch = [images, paddle.to_tensor(ctc), paddle.full([samples], length, "int64")]
    if has_multi_head(config):
        nrtr = np.zeros((samples, longest), "int64")
        nrtr[:, 0], nrtr[:, 1 : length + 1], nrtr[:, length + 1] = 2, letters, 3  # start, letters, end
        batch.insert(2, paddle.to_tensor(nrtr))
        batch.append(paddle.ones([samples]))
    for _ in range(2):
        network.train_step(batch)
    begun = time.process_time()
    for _ in range(steps):
        float(network.train_step(batch))
    spent = time.process_time() - begun
    sizes = {name: int(np.prod(parameter.shape)) for name, parameter in network.model.named_parameters()}
    guide = sum(size for name, size in sizes.items() if name.startswith(("head.gtc_head", "head.before_gtc")))
    return {
        "parameters": sum(sizes.values()),
        "exported": sum(sizes.values()) - guide,
        "cpu_s": spent / steps,
        "peak_mb": getrusage(RUSAGE_SELF).ru_maxrss / 1024,
    }


def resized_to(config: dict[str, Any]) -> tuple[int, int]:
    """Width and height that the recipe's transform makes of a crop."""
    for operator in config["Train"]["dataset"]["transforms"]:
        for options in operator.values():
            if "image_shape" in (options or {}):
                return options["image_shape"][2], options["image_shape"][1]
    raise SystemExit("the recipe resizes nothing")


if __name__ == "__main__":
    main()
