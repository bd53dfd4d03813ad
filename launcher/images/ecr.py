"""ECR, where SageMaker takes its images from: the repository, what it holds, and a login for pushing."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from contract.errors import UserError
from launcher.aws import Account, error_code, explained

CREATED_BY = {"Key": "created-by", "Value": "paddleocr-sagemaker"}
UNTAGGED_DAYS = 14
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": f"images without a tag go after {UNTAGGED_DAYS} days",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        }
    ]
}

# ECR lists an image some moments after the registry has taken it.
LISTED_AFTER_S = 20.0
LOOK_EVERY_S = 1.0

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_NAME = re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*")
_IMAGE = re.compile(
    r"(?P<host>[^/]+)/(?P<name>[^:@]+)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
# 123456789012.dkr.ecr.REGION.amazonaws.com[.cn], the same with -fips, or 123456789012.dkr-ecr.REGION.on.aws
_HOST = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)")


@dataclass(frozen=True)
class Address:
    """What --repository says: a name, and perhaps whose and where it is."""

    name: str
    account: str = ""
    region: str = ""


@dataclass(frozen=True)
class ImageAddress:
    """What names one image in ECR."""

    account: str
    region: str
    name: str  # of the repository
    tag: str = ""
    digest: str = ""  # wins over the tag

    @property
    def image_id(self) -> dict[str, str]:
        """As ECR's calls take it."""
        return {"imageDigest": self.digest} if self.digest else {"imageTag": self.tag}


@dataclass(frozen=True)
class Repository:
    """A repository of the caller's account."""

    name: str
    uri: str  # as ECR gives it: its host is not always the one that names and regions suggest
    created: bool  # by this call
    notes: tuple[str, ...]  # what its owner may want to know
    client: Any = field(repr=False)


@dataclass(frozen=True)
class StoredImage:
    """An image in a repository."""

    digest: str  # of its manifest
    size: int  # bytes, compressed


@dataclass(frozen=True)
class Login:
    """What the registry asks for; valid for 12 hours. It lives in memory only."""

    username: str
    password: str = field(repr=False)


def parse_address(text: str) -> Address:
    """A name, or ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME. Raises UserError."""
    host, slash, rest = text.partition("/")
    found = _HOST.fullmatch(host) if slash else None
    name = rest if found else text
    remedy = "give a name such as paddleocr-sagemaker, or 123456789012.dkr.ecr.REGION.amazonaws.com/NAME"
    if "@" in name or ":" in name.rpartition("/")[2]:
        raise UserError(f"--repository {text}: tags and digests do not belong here: {remedy}, and the tag as --tag")
    if slash and not found and ("." in host or ":" in host):
        raise UserError(f"--repository {text}: {host} is not ECR, and SageMaker pulls from ECR only: {remedy}")
    if not _NAME.fullmatch(name) or not 2 <= len(name) <= 256:
        raise UserError(
            f"--repository {text}: ECR takes 2 to 256 of a-z, 0-9 and single . _ - / between them: {remedy}"
        )
    return Address(name, *found.groups()) if found else Address(name)


def parse_image(uri: str) -> ImageAddress:
    """ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME with :TAG or @sha256:DIGEST. Raises UserError."""
    found = _IMAGE.fullmatch(uri)
    host = _HOST.fullmatch(found["host"]) if found else None
    if not found or not host or not _NAME.fullmatch(found["name"]):
        raise UserError(
            f"--image-uri {uri} is no image in ECR, and SageMaker pulls from ECR only: write it as "
            "123456789012.dkr.ecr.REGION.amazonaws.com/NAME@sha256:DIGEST, or run make push and leave it out"
        )
    # Docker takes an image without a tag for the one tagged latest.
    account, region = host.groups()
    return ImageAddress(account, region, found["name"], found["tag"] or "latest", found["digest"] or "")


def check_tag(tag: str) -> None:
    """A tag the user chose, or none. Raises UserError."""
    if tag and not _TAG.fullmatch(tag):
        raise UserError(f"--tag {tag}: a tag has up to 128 letters, digits and . _ -, and begins with none of . -")


def check_address(address: Address, account: Account) -> None:
    """The repository is where the jobs will run, and the caller's own. Raises UserError."""
    if address.region and address.region != account.region:
        raise UserError(
            f"the repository is in {address.region} and this call in {account.region}, but SageMaker pulls from its "
            f"own region only: give --region {address.region}, or a repository in {account.region}"
        )
    if address.account and address.account != account.id:
        raise UserError(
            f"the repository belongs to account {address.account} and these credentials to {account.id}: name a "
            "--profile of that account, or leave the account out of --repository"
        )


def open_repository(account: Account, name: str) -> Repository:
    """The repository of this name, created if there is none. Raises UserError."""
    client = account.client("ecr")
    with explained(f"looking for the ECR repository {name}"):
        found = _describe(client, name)
    if found is None:
        with explained(f"creating the ECR repository {name}"):
            found, created = _create(client, name)
        if created:
            return Repository(name, found["repositoryUri"], True, _set_lifecycle(client, name), client)
    return Repository(name, found["repositoryUri"], False, _notes(found), client)


def find_image(repository: Repository, tag: str) -> StoredImage | None:
    """The image that has this tag now. Raises UserError."""
    with explained(f"looking for {repository.name}:{tag} in ECR"):
        return _describe_image(repository, {"imageTag": tag})


def config_digest(repository: Repository, digest: str) -> str:
    """The digest of the image's configuration, which Docker calls the image's ID. Raises UserError."""
    accepted = [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
    ]
    with explained(f"reading the manifest of {repository.name}@{digest} from ECR"):
        answer = repository.client.batch_get_image(
            repositoryName=repository.name, imageIds=[{"imageDigest": digest}], acceptedMediaTypes=accepted
        )
    if not answer["images"]:  # an index, or an image that is just being deleted
        return ""
    return str(json.loads(answer["images"][0]["imageManifest"]).get("config", {}).get("digest", ""))


def wait_for_image(
    repository: Repository, tag: str, digest: str, pause: Callable[[float], None] = time.sleep
) -> StoredImage:
    """The image just pushed, once ECR lists it, with the digest the registry gave. Raises UserError."""
    for _ in range(round(LISTED_AFTER_S / LOOK_EVERY_S)):
        image = find_image(repository, tag)
        if image:
            if image.digest != digest:
                raise UserError(
                    f"{repository.name}:{tag} is {image.digest} in ECR, but {digest} was pushed: someone else pushed "
                    "the same tag meanwhile, so push again"
                )
            return image
        pause(LOOK_EVERY_S)
    raise UserError(
        f"the registry took {repository.name}:{tag}, but ECR has not listed it for {LISTED_AFTER_S:.0f} seconds: push "
        "again"
    )


def log_in(repository: Repository) -> Login:
    """A fresh login for the registry. Nothing is written anywhere, and Docker's own logins stay as they are."""
    with explained("asking ECR for a login"):
        token = repository.client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    username, _, password = base64.b64decode(token).decode("ascii").partition(":")
    return Login(username, password)


def _describe(client: Any, name: str) -> dict[str, Any] | None:
    try:
        return dict(client.describe_repositories(repositoryNames=[name])["repositories"][0])
    except client.exceptions.RepositoryNotFoundException:
        return None


def _create(client: Any, name: str) -> tuple[dict[str, Any], bool]:
    """The repository, and whether this call made it: another may have been quicker."""
    try:
        made = client.create_repository(
            repositoryName=name,
            imageTagMutability="IMMUTABLE",
            imageScanningConfiguration={"scanOnPush": True},
            tags=[CREATED_BY],
        )
        return dict(made["repository"]), True
    except client.exceptions.RepositoryAlreadyExistsException:
        return dict(client.describe_repositories(repositoryNames=[name])["repositories"][0]), False


def _set_lifecycle(client: Any, name: str) -> tuple[str, ...]:
    """A rule that clears away images without a tag. A repository without it works as well: a note if it is refused."""
    from botocore.exceptions import ClientError

    try:
        client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(LIFECYCLE))
    except ClientError as error:
        return (f"{name} got no rule that expires untagged images: ECR answers {error_code(error)}",)
    return ()


def _notes(found: dict[str, Any]) -> tuple[str, ...]:
    notes = []
    if str(found.get("imageTagMutability", "")).startswith("MUTABLE"):
        notes.append(f"tags of {found['repositoryName']} can be moved to other images; jobs go by digest")
    if not found.get("imageScanningConfiguration", {}).get("scanOnPush"):
        notes.append(f"{found['repositoryName']} does not scan images on push, unless the whole registry does")
    return tuple(notes)


def _describe_image(repository: Repository, image_id: dict[str, str]) -> StoredImage | None:
    try:
        answer = repository.client.describe_images(repositoryName=repository.name, imageIds=[image_id])
    except repository.client.exceptions.ImageNotFoundException:
        return None
    details = answer["imageDetails"][0]
    return StoredImage(details["imageDigest"], int(details.get("imageSizeInBytes", 0)))
