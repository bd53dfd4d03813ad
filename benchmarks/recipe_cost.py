"""What a recipe costs: parameters, processor time per training sample, memory per sample of a batch.

python -m benchmarks.recipe_cost [RECIPE…] [--steps 5]

Real training steps in float32 on this machine's CPU, on random crops at the recipe's own size (with a sampler, at the
first scale) and 97 classes. Processor time, because a busy machine makes seconds longer and not this. Memory is the
peak of Paddle's allocator in a step with a large batch less that in a step with a small one, per sample.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from typing import Any

from contract.batches import scales_of
from contract.recipe import CONFIGS, find_recipe, has_multi_head, limits_of, load_recipe

CLASSES = 97  # 95 printable ASCII characters without the space, the space, blank: en_dict.txt's number
SMALL, LARGE = 2, 6  # samples of a batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [path.relative_to(CONFIGS).as_posix() for path in sorted((CONFIGS / "rec").rglob("*.yml"))]
    parser.add_argument("recipes", nargs="*", default=every, metavar="RECIPE")
    parser.add_argument("--steps", type=int, default=5, help="timed steps, after one that is not")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.recipes[0], options.steps)))
        return
    for recipe in options.recipes:
        cost = in_a_child(recipe, options.steps)
        print(
            f"{recipe}: {cost['parameters'] / 1e6:.2f} million parameters ({cost['exported'] / 1e6:.2f} without NRTR),"
            f" {cost['cpu_s']:.3f} CPU-seconds and {cost['memory_mb']:.0f} MB a sample",
            flush=True,
        )


def in_a_child(recipe: str, steps: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.recipe_cost", recipe, "--measure", "--steps", str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def measure(recipe: str, steps: int) -> dict[str, Any]:
    """Train on random batches; parameters, those that read, and what one sample takes."""
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
        network = build_network(config, Schedule(1000, LARGE, 1, 1))
    scales = scales_of(config)
    width, height = scales.sizes[0] if scales else resized_to(config)
    small, large = (random_batch(config, samples, width, height) for samples in (SMALL, LARGE))
    peaks = []
    for batch in (small, large):
        network.train_step(batch)
        paddle.base.core.host_memory_stat_reset_peak_value("Allocated", 0)
        float(network.train_step(batch))
        peaks.append(paddle.base.core.host_memory_stat_peak_value("Allocated", 0))
    begun = time.process_time()
    for _ in range(steps):
        float(network.train_step(large))
    spent = time.process_time() - begun
    sizes = {name: int(np.prod(parameter.shape)) for name, parameter in network.model.named_parameters()}
    guide = sum(size for name, size in sizes.items() if name.startswith(("head.gtc_head", "head.before_gtc")))
    return {
        "parameters": sum(sizes.values()),
        "exported": sum(sizes.values()) - guide,
        "cpu_s": spent / steps / LARGE,
        "memory_mb": (peaks[1] - peaks[0]) / (LARGE - SMALL) / 1e6,
    }


def random_batch(config: dict[str, Any], samples: int, width: int, height: int) -> list[Any]:
    """What a reader gives: images, labels (two of them for a MultiHead), lengths."""
    import numpy as np
    import paddle

    random = np.random.RandomState(1)
    length = min(8, limits_of(config).longest_label)
    longest = config["Global"]["max_text_length"]
    ctc = np.zeros((samples, longest), "int64")
    ctc[:, :length] = random.randint(5, CLASSES, (samples, length))
    images = random.uniform(-1, 1, (samples, 3, height, width)).astype("float32")
    arrays = [images, ctc, np.full([samples], length)]
    if has_multi_head(config):
        nrtr = np.zeros((samples, longest), "int64")
        nrtr[:, 0], nrtr[:, 1 : length + 1], nrtr[:, length + 1] = 2, ctc[:, :length], 3  # start, letters, end
        arrays = [images, ctc, nrtr, np.full([samples], length), np.ones([samples])]
    return [paddle.to_tensor(array) for array in arrays]


def resized_to(config: dict[str, Any]) -> tuple[int, int]:
    """Width and height that the recipe's transform makes of a crop."""
    for operator in config["Train"]["dataset"]["transforms"]:
        for options in operator.values():
            if "image_shape" in (options or {}):
                return options["image_shape"][2], options["image_shape"][1]
    raise SystemExit("the recipe resizes nothing")


if __name__ == "__main__":
    main()
