"""Does the memory of the workers stay what it is? 100,000 samples, four workers, three epochs.

python -m benchmarks.reader_memory [--samples 100000] [--workers 4] [--epochs 3] [--plot memory.png] [--json]

The batches of a CRNN recipe are prepared and thrown away. Twenty times an epoch the proportional set size of the
trainer and its workers is read (PSS: what they share is counted once, so a page that a worker copies shows).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

from benchmarks.input_pipeline import draw, enter_paddleocr, over
from data_preparation.packing import pack_dataset

RECIPE = "rec/rec_mv3_none_bilstm_ctc.yml"
CROPS = 2000  # drawn; each is in the label file many times, as if under another name
READINGS = 20  # of each epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    enter_paddleocr()
    with tempfile.TemporaryDirectory(prefix="ocr-benchmark-") as folder:
        readings = read_epochs(dataset(Path(folder), options.samples), options)
    if options.plot:
        options.plot.write_bytes(picture(readings))
    ends = [mb for epoch, mb in readings if epoch in range(1, options.epochs + 1)]
    summary = {"samples": options.samples, "workers": options.workers, "mb_at_the_end_of_epochs": ends}
    summary["growth_after_the_first"] = round(ends[-1] / ends[0] - 1, 4)
    print(json.dumps(summary | ({"readings": readings} if options.json else {})))


def dataset(folder: Path, samples: int) -> Path:
    """Packed, `samples` lines long."""
    loose, packed = draw(folder / "loose", CROPS), folder / "packed"
    images = loose / "images"
    lines = (loose / "train.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    with (loose / "train.txt").open("a", encoding="utf-8") as more:
        for number in range(CROPS, samples):
            name, _, label = lines[number % CROPS].partition("\t")
            link = f"images/{number}.jpg"
            os.link(images / Path(name).name, loose / link)
            more.write(f"{link}\t{label}")
    packed.mkdir()
    pack_dataset(loose, packed)
    return packed


def read_epochs(folder: Path, options: argparse.Namespace) -> list[tuple[float, float]]:
    """(epochs done, MB), from before the first batch on."""
    from container.trainer.reading import open_samples, read_batches, room_for
    from container.trainer.sampling import Schedule
    from contract.images import open_images

    config = over(RECIPE, folder)
    samples = open_samples(config, "Train", folder / "train.txt", open_images(folder), 1, "auto", exit)
    schedule = Schedule(len(samples), 64, options.epochs + 1, 1)  # in the last epoch all workers are still there
    count, each = schedule.steps_per_epoch * (options.epochs + 1), schedule.steps_per_epoch
    readings = []
    batches = read_batches(samples, schedule.batches(0, 0), count, options.workers, room_for(config, 64))
    for number, _ in enumerate(batches, start=1):
        if number == 1 or number % each == 0 or number % max(1, each // READINGS) == 0:
            readings.append((number / each if number > 1 else 0.0, memory_mb()))
        if number == each * options.epochs:
            break
    return readings


def memory_mb() -> float:
    """Of this process and its children."""
    pids = ["self", *Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    rows = [row for pid in pids for row in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return round(sum(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024, 1)


def picture(readings: list[tuple[float, float]]) -> bytes:
    """PNG: memory over the epochs, from zero."""
    import io

    from PIL import Image, ImageDraw

    width, height, edge = 900, 360, 48
    page = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(page)
    last, most = readings[-1][0], 1.2 * max(mb for _, mb in readings)
    at = [(edge + x / last * (width - 2 * edge), height - edge - mb / most * (height - 2 * edge)) for x, mb in readings]
    pen.line([(edge, edge), (edge, height - edge), (width - edge, height - edge)], "#616e7c")
    pen.line(at, "#2563eb", 3)
    pen.text(
        (edge, 16),
        f"MB of trainer and workers over {last:.0f} epochs; the last is {readings[-1][1]:,.0f} MB",
        "#1f2933",
    )
    for epoch in range(round(last) + 1):
        pen.text((edge + epoch / last * (width - 2 * edge), height - edge + 8), str(epoch), "#616e7c")
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    main()
