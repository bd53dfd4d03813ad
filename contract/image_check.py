"""Every image of a dataset: does it decode, and where else is the same picture?"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from contract.dataset import Problem, Sample, hash_in_order
from contract.errors import BadImage, UserError
from contract.images import Images, open_images
from contract.picture import Chunk, Decode, Looker, Picture
from contract.quoting import quoted
from contract.report import Report, Split

Entry = tuple[str, str, str, str]  # split, image path, label, image sha256

CHUNK = 64  # images that are looked at before anything is said

Progress = Callable[[int, int], None]  # samples checked, samples in all
Found = Callable[[Split, Sample, Picture], None]  # told of each sound image
# Looks at chunks, here as `map` does or in other processes, and gives what each came to in the same order.
Over = Callable[[Looker, Sequence[Chunk]], Iterable[list[Picture | BadImage]]]


def check_images(
    report: Report,
    decode: Decode,
    over: Over = map,
    progress: Progress | None = None,
    found: Found | None = None,
    keep_data: bool = False,
    images: Callable[[Path], Images] = open_images,
) -> None:
    """Look at the image of each sample; put problems, warnings and hashes into the report.

    keep_data: the pictures that `found` is told of bring the bytes of their files.
    images: opens those of a folder; each is seen as it gives them.
    """
    folders = _open_folders(report, images)
    splits = [split for split in report.splits if split.folder in folders]
    looker = Looker(tuple(folders.values()), decode, keep_data)
    number = {folder: index for index, folder in enumerate(folders)}
    looked = _one_by_one(over(looker, list(_chunks(splits, number))))
    total = sum(len(split.file.samples) for split in splits)
    done = 0
    same = _SamePictures(report)
    for split in splits:
        for sample in split.file.samples:
            picture = next(looked)
            if isinstance(picture, BadImage):
                message = f"the image {quoted(sample.image)} {picture}"
                remedy = folders[split.folder].remedy
                report.problems.append(Problem(picture.kind, split.place(sample.line), message, remedy))
            else:
                report.aspects.append(picture.width / picture.height)
                same.add(split, sample, picture.sha256)
                if found:
                    found(split, sample, picture)
            done += 1
            if progress:
                progress(done, total)
    same.finish()
    if len(folders) == 1 and len(splits) == len(report.splits) == 2:  # all labels of the folder were read
        (folder,) = folders.values()
        report.notes += folder.unnamed(sample.image for split in splits for sample in split.file.samples)


def _open_folders(report: Report, images: Callable[[Path], Images]) -> dict[Path, Images]:
    """The images of each folder. One whose shards cannot be used is left out, and the report says why."""
    folders = {}
    for split in {split.folder: split for split in report.splits}.values():
        try:
            folders[split.folder] = images(split.folder)
        except UserError as error:  # `folder/shards/file[:line:] message: remedy`
            where, _, text = str(error).removeprefix(str(split.folder))[1:].partition(" ")
            message, _, remedy = text.partition(": ")
            report.problems.append(Problem("shards", split.prefix + where.rstrip(":"), message, remedy))
    return folders


def _chunks(splits: list[Split], number: dict[Path, int]) -> Iterator[Chunk]:
    for split in splits:
        samples = split.file.samples
        for start in range(0, len(samples), CHUNK):
            yield number[split.folder], [sample.image for sample in samples[start : start + CHUNK]]


def _one_by_one(chunks: Iterable[list[Picture | BadImage]]) -> Iterator[Picture | BadImage]:
    for chunk in chunks:
        yield from chunk


class _SamePictures:
    """Finds pictures that occur twice, by their bytes; and hashes the content. Some 200 bytes for each sample."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._samples: list[Sample] = []
        self._digests: list[bytes] = []
        self._first: dict[bytes, int] = {}  # the sample that has the picture first
        self._splits: list[tuple[Split, int]] = []  # with the number of their first sample

    def add(self, split: Split, sample: Sample, sha256: str) -> None:
        """The next sample with a sound image, split by split."""
        number, digest = len(self._samples), bytes.fromhex(sha256)
        if not self._splits or self._splits[-1][0] is not split:
            self._splits.append((split, number))
        first = self._first.setdefault(digest, number)
        if first < number:
            self._warn(split, sample, self._split_of(first), self._samples[first])
        self._samples.append(sample)
        self._digests.append(digest)

    def finish(self) -> None:
        """Write the hashes into the report."""
        numbers = {split.name: range(start, self._end_after(start)) for split, start in self._splits}
        for split in self._report.splits:
            own = numbers.get(split.name, range(0))
            self._report.split_sha256[split.name] = _sha256_of_list(self._entries(split.name, own))
        self._report.content_sha256 = hash_in_order(
            entry for name in sorted(numbers) for entry in self._entries(name, self._sorted(numbers[name]))
        )

    def _end_after(self, start: int) -> int:
        return min((other for _, other in self._splits if other > start), default=len(self._samples))

    def _sorted(self, numbers: range) -> Iterator[int]:
        """As entries are sorted, without making them all at once: by image, label and digest."""
        image_of = [sample.image for sample in self._samples].__getitem__
        for _, lines in itertools.groupby(sorted(numbers, key=image_of), key=image_of):
            same = list(lines)
            if len(same) > 1:
                same.sort(key=lambda number: (self._samples[number].label, self._digests[number]))
            yield from same

    def _entries(self, split: str, numbers: Iterable[int]) -> Iterator[Entry]:
        for number in numbers:
            sample = self._samples[number]
            yield split, sample.image, sample.label, self._digests[number].hex()

    def _split_of(self, number: int) -> Split:
        return next(split for split, start in reversed(self._splits) if start <= number)

    def _warn(self, split: Split, sample: Sample, first_split: Split, first: Sample) -> None:
        there = first_split.place(first.line)
        what = f"the image {quoted(sample.image)} is the one of {there}"
        found = []
        if first.label != sample.label:
            message = f"{what}, with the label {quoted(sample.label)} here and {quoted(first.label)} there"
            found.append(("contradiction", message, "correct one label, or delete both lines"))
        if first_split is not split:
            message = f"{what}: what is trained says nothing in validation"
            found.append(("leak", message, "delete the line"))
        if not found:
            found.append(("duplicate", what, "delete one of the lines, unless it should weigh twice"))
        for kind, message, remedy in found:
            self._report.warnings.add(Problem(kind, split.place(sample.line), message, remedy))


def _sha256_of_list(entries: Iterable[Entry]) -> str:
    """The hash of what `repr(list(entries))` is, without making it."""
    digest = hashlib.sha256(b"[")
    for number, entry in enumerate(entries):
        digest.update(f"{', ' if number else ''}{entry!r}".encode())
    digest.update(b"]")
    return digest.hexdigest()
