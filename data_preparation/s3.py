"""Brings a dataset to S3, once per content: s3://BUCKET/PREFIX/datasets/<name>/<content hash>/. Never deletes.

The manifest is written last, and the label files just before it, so that nothing half is taken for a dataset. Whatever
ends an upload before that, the same call goes on: it lists what is there and sends what is missing or differs. S3
checks the SHA-256 of every object it takes.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain, islice
from typing import Any

from contract.errors import UserError
from data_preparation.aws import open_client
from data_preparation.dataset_files import DatasetFile, ImageFiles, LocalDataset
from data_preparation.in_parallel import at_once, in_parallel
from data_preparation.meter import Meter, MeteredBody
from data_preparation.pieces import INDEX_PATH, Piece, loose_pieces, made_piece, pack, text_pieces
from data_preparation.quick_put import QuickPut, most_sockets, quick_put
from data_preparation.remote_dataset import read_summary
from data_preparation.s3_folder import AT_ONCE, Listed, S3Folder, s3_folder
from data_preparation.upload_manifest import NAME, Summary, summarise, texts_of, write_manifest

WORKERS = 32  # a PUT of a small file waits 20 to 60 ms for S3
QUICK_WORKERS = 256  # as s5cmd: they do little but wait
SHARD_WORKERS = 4  # each holds a shard of 128 MB in memory
ATTEMPTS = 8  # some 35 seconds: S3 asks to slow down while it spreads a new prefix over more machines

LISTED_AT_MOST = 50_000  # files; a request lists a thousand, and beyond this the manifest's word counts

PAGE = 1000  # objects that a request lists

Show = Callable[[Meter], None]
Bring = Callable[[Piece, Listed | None], tuple[DatasetFile, bool]]  # what is there then, and whether it was sent


@dataclass(frozen=True)
class DatasetUpload:
    """Where the dataset is now, and what it took; of a dry run, where it would be and what it would take."""

    uri: str  # ends with /
    content_sha256: str
    files: int  # of the dataset, whatever they are packed into
    bytes: int
    skipped: int  # files that were there already
    shards: int  # 0: the images lie loose
    sent: int  # objects
    sent_bytes: int
    seconds: float


def dataset_uri(dataset: LocalDataset, prefix: str) -> str:
    """Where a dataset goes below `s3://BUCKET/PREFIX`."""
    return f"{prefix.rstrip('/')}/datasets/{dataset.name}/{dataset.content_sha256}/"


def upload_client(session: Any, region: str) -> Any:
    """S3 as an upload asks it. It takes 0.1 s of work to make."""
    return open_client(session, "s3", region, connections=WORKERS, attempts=ATTEMPTS)


def upload_dataset(
    dataset: LocalDataset,
    prefix: str,
    session: Any,
    region: str,
    *,
    kms_key: str = "",
    loose: bool = False,
    dry_run: bool = False,
    client: Any = None,
    show: Show = lambda meter: None,
) -> DatasetUpload:
    """Send what is not there yet; two or three requests when everything is. Raises UserError.

    kms_key: id, ARN or alias of the key to encrypt with; empty: as the bucket does.
    loose: every image as an object of its own, unless the dataset is there in shards already; and the other way round.
    dry_run: look, write nothing.
    client: what upload_client has made of this session, if it was made before.
    """
    began = time.monotonic()
    client = client or upload_client(session, region)
    for uri in _addresses(dataset, prefix):
        folder = s3_folder(client, uri, region, kms_key)
        upload = _Upload(dataset, folder, session, loose, dry_run, show)
        if upload.brought():
            return DatasetUpload(
                uri,
                dataset.content_sha256,
                dataset.files,
                dataset.bytes,
                upload.skipped,
                upload.shards,
                upload.sent,
                upload.sent_bytes,
                time.monotonic() - began,
            )
    raise UserError(f"{uri} holds labels that are not its own: remove this folder, or upload below another prefix")


def _addresses(dataset: LocalDataset, prefix: str) -> Iterator[str]:
    """The dataset's own address and, where that is taken, a second one.

    The content hash covers images and labels. The same content with another dictionary or order of lines is another
    dataset to train on, and must not end up on top of the first.
    """
    address = dataset_uri(dataset, prefix)
    yield address
    texts = "".join(f"{file.path} {file.sha256}\n" for file in dataset.texts)
    yield f"{address[:-1]}-{hashlib.sha256(texts.encode()).hexdigest()[:12]}/"


class _Taken(Exception):
    """The address holds another dataset."""


class _Upload:
    """One dataset on its way to one address."""

    def __init__(
        self, dataset: LocalDataset, folder: S3Folder, session: Any, loose: bool, dry_run: bool, show: Show
    ) -> None:
        self._dataset = dataset
        self._folder = folder
        self._session = session
        self._quick: QuickPut | None = None
        self._loose = loose
        self._dry_run = dry_run
        self._has_manifest = False  # something of a complete upload was deleted behind it
        self._meter = Meter(dataset.files, dataset.bytes, show)
        self.skipped = 0
        self.shards = 0
        self.sent = 0
        self.sent_bytes = 0

    def brought(self) -> bool:
        """The whole dataset is there. False: the address holds another one, and stays as it is."""
        with self._explained():
            there, listed = self._look()
            if there and not self._is_ours(there):
                return False
            if there and self._is_whole(there, listed):
                self.skipped, self.shards = self._dataset.files, there.shards
                return True
            self._has_manifest = there is not None
            listed = self._folder.listed() if there else listed
            # What was begun in one form is finished in it: nothing that is there is sent again.
            start = list(islice(listed, PAGE))
            loose = there.shards == 0 if there else self._begun_loose(start)
            self._quick = quick_put(self._folder, self._session)
            try:
                (self._bring_loose if loose else self._bring_packed)(chain(start, listed))
            except _Taken:
                return False
            return True

    def _look(self) -> tuple[Summary | None, Iterator[Listed]]:
        """What the manifest says, and what lies there. All is asked at once: an answer takes 20 ms and more."""
        listed = self._folder.listed()
        _, there, first = at_once(
            self._folder.check_region, lambda: read_summary(self._folder), lambda: list(islice(listed, 1))
        )
        return there, chain(first, listed)

    def _is_whole(self, there: Summary, listed: Iterator[Listed]) -> bool:
        """What the manifest speaks of still lies there: lifecycle rules and people delete, too."""
        if there.files > LISTED_AT_MOST:
            return all(self._folder.holds_still(text.path, text.content()) for text in text_pieces(self._dataset))
        texts = {text.path: text for text in text_pieces(self._dataset)}
        count = size = 0
        for each in listed:
            if each.path != NAME:
                count, size = count + 1, size + each.bytes
            text = texts.get(each.path)
            if text and self._folder.holds(text.path, text.content(), each):
                del texts[text.path]
        return not texts and (count, size) == (there.files, there.bytes)

    def _begun_loose(self, start: list[Listed]) -> bool:
        """In which form an upload that was interrupted was under way; what was asked, where nothing tells."""
        if any(each.path == INDEX_PATH for each in start):
            return False
        return self._loose or any(each.path in self._dataset.images for each in start)

    def _bring_loose(self, listed: Iterator[Listed]) -> None:
        """Send what is missing: images, labels, manifest."""
        texts = text_pieces(self._dataset)
        aside = dict.fromkeys((text.path for text in texts), None)
        pairs = _beside(loose_pieces(self._dataset), _set_aside(listed, aside))
        workers = min(QUICK_WORKERS, most_sockets() // 2) if self._quick else WORKERS
        for _ in self._sent(self._bring_images, pairs, workers):
            pass
        files = self._sent(self._bring_text, ((text, aside[text.path]) for text in texts), len(texts))
        self._finish(sorted(files, key=lambda file: file.path), self._dataset.images)

    def _bring_packed(self, listed: Iterator[Listed]) -> None:
        """Send what is missing: index, shards, labels, manifest. The index says what the shards are: it comes first.

        Meanwhile the first shard is read and hashed.
        """
        packed = pack(self._dataset)
        self.shards = len(packed.shards)
        there = {each.path: each for each in listed if each.path not in self._dataset.images}

        def send(bring: Bring, pieces: Collection[Piece]) -> list[DatasetFile]:
            pairs = ((piece, there.get(piece.path)) for piece in pieces)
            return list(self._sent(bring, pairs, min(SHARD_WORKERS, len(pieces))))

        first, *others = packed.shards
        *ready, index = at_once(first.content, lambda: send(self._bring_text, (packed.index,)))
        # `pop`: held by nobody once it is sent
        shards = send(self._bring_images, (replace(first, content=ready.pop), *others))
        summary = packed.summary({file.path: file.sha256 for file in shards})
        texts = send(self._bring_text, (summary, *text_pieces(self._dataset)))
        self._finish(sorted((*index, *shards, *texts), key=lambda file: file.path), ImageFiles())

    def _sent(self, bring: Bring, pairs: Iterable[tuple[Piece, Listed | None]], workers: int) -> Iterator[DatasetFile]:
        """What is there once each piece has been brought, several at a time."""
        for piece, file, sent in in_parallel(lambda pair: (pair[0], *bring(*pair)), pairs, workers):
            self.skipped += 0 if sent else piece.files
            self.sent += sent
            self.sent_bytes += file.bytes if sent else 0
            yield file

    def _bring_images(self, piece: Piece, listed: Listed | None) -> tuple[DatasetFile, bool]:
        """Send an image or a shard unless it is there; whether it was sent."""
        from botocore.exceptions import ClientError

        content = piece.content()
        file = DatasetFile(piece.path, content.size, content.sha256)
        try:
            there = listed is not None and self._folder.holds(piece.path, content, listed)
        except ClientError:
            there = False  # S3 does not say what it is (kms:Decrypt may be missing): sending it says what is wrong
        if there:
            self._meter.finished(piece.files, piece.bytes, found=True)
        elif self._dry_run:
            self._meter.finished(piece.files, piece.bytes)
        elif piece.bytes <= AT_ONCE:
            if not (self._quick and self._quick.put(piece.path, content)):
                self._folder.put(piece.path, content.data, content.sha256)
            self._meter.finished(piece.files, piece.bytes)
        else:
            if not (self._quick and self._quick.put(piece.path, content, self._meter.moved)):
                self._folder.put(piece.path, MeteredBody(content.data, self._meter.moved), content.sha256)
            self._meter.finished(piece.files)
        return file, not there

    def _bring_text(self, piece: Piece, listed: Listed | None) -> tuple[DatasetFile, bool]:
        """Send a text file where none is. They come last, and the first who has sent them has the address."""
        content = piece.content()
        if self._dry_run or listed:
            sent = listed is None
        else:
            sent = self._folder.put(piece.path, content.data, content.sha256, only_new=True)
        if not sent and not self._folder.holds(piece.path, content, listed):
            raise _Taken
        self._meter.finished(piece.files, piece.bytes if piece.files else 0, found=not sent)
        return DatasetFile(piece.path, content.size, content.sha256), sent

    def _finish(self, files: list[DatasetFile], images: ImageFiles) -> None:
        """Write the manifest. _Taken when someone else has just completed another dataset here."""
        if self._has_manifest:
            return
        summary = summarise(self._dataset, files, images, self.shards, self._folder.kms_key)
        stream = BytesIO()
        write_manifest(summary, chain(files, images), stream)
        content = made_piece(NAME, stream.getvalue()).content()
        self.sent += 1
        self.sent_bytes += content.size
        if self._dry_run or self._folder.put(NAME, content.data, content.sha256, only_new=True):
            return
        there = read_summary(self._folder)  # of someone else, or of our own request whose answer was lost
        if there is None or not self._is_ours(there):
            raise _Taken

    def _is_ours(self, there: Summary) -> bool:
        if there.texts != texts_of(self._dataset):
            return False
        if self._folder.kms_key not in ("", there.kms_key):
            key = f"the key {there.kms_key}" if there.kms_key else "the bucket's own key"
            raise UserError(
                f"{self._folder.uri} is complete and encrypted with {key}: leave --kms-key out, or upload below another"
                " prefix"
            )
        return True

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            done = self._meter.done_files
            there = f"; at least {done:,} of {self._dataset.files:,} files are there, and the same command goes on"
            doing = f"uploading {self._dataset.folder} to {self._folder.uri}"
            raise UserError(f"{doing}: {self._folder.reason(error)}{there if done else ''}") from error


def _set_aside(listed: Iterator[Listed], aside: dict[str, Listed | None]) -> Iterator[Listed]:
    """The listing without the names in `aside`, which receives them."""
    for each in listed:
        if each.path in aside:
            aside[each.path] = each
        else:
            yield each


def _beside(pieces: Iterable[Piece], listed: Iterator[Listed]) -> Iterator[tuple[Piece, Listed | None]]:
    """Each piece with what S3 has of its name. Both come in the same order, so neither is held in memory."""
    there = next(listed, None)
    for piece in pieces:
        while there and there.path.encode() < piece.path.encode():
            there = next(listed, None)
        yield piece, there if there and there.path == piece.path else None
    for _ in listed:  # to the end: label files come after the images
        pass
