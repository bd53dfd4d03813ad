"""What the channels of a job hold that is in S3 already: enough to train with, or SageMaker would fail the job."""

from __future__ import annotations

from contract.dataset import TRAIN_LABELS, VAL_LABELS
from contract.errors import UserError
from contract.paths import PRETRAINED_CHANNEL, TRAINING_CHANNEL
from data_preparation.aws import open_client
from data_preparation.remote_dataset import describe_dataset_uri
from data_preparation.s3_folder import S3Folder, s3_folder
from launcher.aws import Account
from launcher.cloud.layout import S3Uri

WEIGHTS = ".pdparams"


def size_in_s3(account: Account, channel: str, uri: S3Uri) -> int | None:
    """Bytes of a channel; None: not counted. Raises UserError when the channel is not what its name says."""
    if channel == TRAINING_CHANNEL:
        return describe_dataset_uri(str(uri), account.session, account.region).bytes
    folder = s3_folder(open_client(account.session, "s3", account.region), str(uri), account.region)
    with folder.explained(f"looking at {uri}"):
        folder.check_region()
        if channel == PRETRAINED_CHANNEL:
            return _size_of_weights(folder)
        _check_validation(folder)
    return None


def _size_of_weights(folder: S3Folder) -> int:
    found = list(folder.listed())
    count = sum(each.path.endswith(WEIGHTS) for each in found)
    if count != 1:
        raise UserError(f"--pretrained {folder.uri}: it holds {count or 'no'} {WEIGHTS} files: name a folder with one")
    return sum(each.bytes for each in found)


def _check_validation(folder: S3Folder) -> None:
    if all(folder.beginning(name, 1) is None for name in (VAL_LABELS, TRAIN_LABELS)):
        raise UserError(f"--validation {folder.uri}: it has neither {VAL_LABELS} nor {TRAIN_LABELS}: name a dataset")
