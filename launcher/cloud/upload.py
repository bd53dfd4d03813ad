"""Brings what a plan names on this machine to S3, once per content."""

from __future__ import annotations

from data_preparation.aws import open_client
from data_preparation.progress import transfer
from data_preparation.s3 import upload_dataset
from data_preparation.s3_folder import s3_folder
from data_preparation.wording import counted
from launcher.aws import Account
from launcher.cloud.facts import Gathered, OneFile, with_place
from launcher.images.push_progress import size_text
from launcher.people import say
from launcher.progress import clock


def bring(gathered: Gathered, account: Account, kms_key: str) -> Gathered:
    """Upload datasets and files; the facts then say where they are. Raises UserError."""
    for name, dataset in gathered.datasets.items():
        with transfer(f"uploading the {name} data") as show:
            root = str(gathered.facts.layout.root)
            upload = upload_dataset(dataset, root, account.session, account.region, kms_key=kms_key, show=show)
        form = f" in {counted(upload.shards, 'shard')}" if upload.shards else ""
        if not upload.sent:
            say(f"{name} data: {upload.files:,} files are in S3 already{form}")
        else:
            sent = upload.files - upload.skipped
            took = f", {clock(upload.seconds)}" if upload.seconds >= 1 else ""
            say(f"{name} data: {sent:,} of {upload.files:,} files sent{form} ({size_text(upload.bytes)} in all{took})")
        gathered = with_place(gathered, name, upload.uri)
    for name, file in gathered.files.items():
        _bring_file(name, file, account, kms_key)
    return gathered


def _bring_file(name: str, file: OneFile, account: Account, kms_key: str) -> None:
    """One object below a folder that is named by its content; what belongs beside it comes first."""
    for other in file.beside:
        _bring_file(name, other, account, kms_key)
    client = open_client(account.session, "s3", account.region)
    folder = s3_folder(client, str(file.folder), account.region, kms_key)
    with folder.explained(f"uploading {file.path}"), file.path.open("rb") as body:
        folder.check_region()
        is_new = folder.put(file.path.name, body, file.sha256, only_new=True)
    say(f"{name}: {file.path.name} {'sent' if is_new else 'is in S3 already'}")
