"""Writes a dataset folder: images, label files, dictionary, manifest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.dataset import (
    DICTIONARY,
    IMAGES,
    MANIFEST,
    MANIFEST_FORMAT,
    TRAIN_LABELS,
    VAL_LABELS,
    Dictionary,
    build_dictionary,
    content_hash,
    format_line,
)
from data_preparation.manifest import manifest_bytes


@dataclass
class DatasetWriter:
    """Fills an empty folder sample by sample. `finish` makes it a dataset."""

    folder: Path
    lines: dict[str, list[str]] = field(default_factory=lambda: {"train": [], "val": []})
    labels: set[str] = field(default_factory=set)
    entries: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, split: str, name: str, label: str, data: bytes) -> None:
        """Write one image, named below images/, and take note of its label."""
        path = self.folder / IMAGES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.record(split, name, label, hashlib.sha256(data).hexdigest())

    def record(self, split: str, name: str, label: str, sha256: str) -> None:
        """Take note of an image that is written already, and of its label."""
        image = f"{IMAGES}/{name}"
        self.lines[split].append(format_line(image, label))
        self.labels.add(label)
        self.entries.append((split, image, label, sha256))

    def finish(self, facts: dict[str, Any], dictionary: Dictionary | None = None) -> dict[str, Any]:
        """Write the text files; return the manifest: format, counts, the given facts, content hash.

        dictionary: None builds the one of the labels.
        """
        dictionary = dictionary or build_dictionary(self.labels)
        manifest = {
            "format": MANIFEST_FORMAT,
            "train": len(self.lines["train"]),
            "val": len(self.lines["val"]),
            "characters": len(dictionary.characters),
            **facts,
            "content_sha256": content_hash(self.entries),
        }
        self._write(TRAIN_LABELS, "".join(self.lines["train"]))
        self._write(VAL_LABELS, "".join(self.lines["val"]))
        self._write(DICTIONARY, dictionary.text())
        (self.folder / MANIFEST).write_bytes(manifest_bytes(manifest))
        return manifest

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_bytes(text.encode())
