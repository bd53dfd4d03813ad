"""`python -m container check-gpu`: can paddle compute on the GPUs of this machine, and if not, why not?"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which Ctrl-C may meet
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()

import argparse
import json
import os
import re
import warnings
from dataclasses import replace

from container.commands import Parser, run_command, say
from container.cuda_compat import driver_version
from container.gpu_report import Card, GpuReport

SIZE = 256  # of a matrix of ones, whose square holds nothing but this number


def main() -> int:
    parser = Parser("check-gpu", description="look at driver, paddle and cards, and let each card compute something")
    parser.add_argument("--json", action="store_true", help="what was found, as one JSON object on stdout")
    return run_command(parser, _check)


def _check(args: argparse.Namespace) -> int:
    report = look()
    for line in report.table():
        say(line)
    for problem in report.problems:
        say(f"error: {problem}")
    if args.json:
        print(json.dumps(report.as_json()))
    return 1 if report.problems else 0


def look() -> GpuReport:
    """Ask paddle. A card that it holds no code for is not asked to compute: that would end the process."""
    warnings.filterwarnings("ignore", message="No ccache found")  # paddle says it at every import
    import paddle

    on_gpu = paddle.is_compiled_with_cuda()
    found = GpuReport(
        driver=driver_version(),
        paddle=paddle.__version__,
        cuda=str(paddle.version.cuda()) if on_gpu else None,
        architectures=_architectures(paddle.version.cuda_archs()),
        visible_devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
        failure=None,
        cards=(),
    )
    try:
        count = paddle.device.cuda.device_count() if on_gpu else 0
    except Exception as error:  # whatever CUDA and paddle raise: it is reported
        return replace(found, failure=_core(error))
    cards = []
    for device in range(count):
        properties = paddle.device.cuda.get_device_properties(device)
        capability = (int(properties.major), int(properties.minor))
        card = Card(device, properties.name, capability, properties.total_memory >> 20, None)
        cards.append(card if found.too_old(card.architecture) else replace(card, failure=_compute(device)))
    return replace(found, cards=tuple(cards))


def _compute(device: int) -> str | None:
    """A small matrix product on one card. Returns what went wrong."""
    import paddle

    try:
        paddle.set_device(f"gpu:{device}")
        square = paddle.matmul(paddle.ones([SIZE, SIZE]), paddle.ones([SIZE, SIZE]))
        right = bool((square == SIZE).all())
    except Exception as error:
        return _core(error)
    return None if right else "a matrix product came out wrong"


def _core(error: Exception) -> str:
    """The telling line of paddle's long messages, such as `CUDA error(35), CUDA driver version is insufficient …`."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else type(error).__name__)


def _architectures(stated: object) -> tuple[int, ...]:
    """paddle says `[70, 75]` or `70 75`, depending on its release; nothing in a build for the CPU."""
    return tuple(sorted({int(number) for number in re.findall(r"\d+", str(stated))}))


if __name__ == "__main__":
    raise SystemExit(main())
