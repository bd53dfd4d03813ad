"""An AWS account on this machine, as a new user has it: credentials and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launcher.cloud import prices
from launcher.cloud.permissions import ROLE, Names, policy, trust_policy
from launcher.cloud.permissions import USER as USER_POLICY
from tests.launcher.aws_stand_in import use_no_aws
from tests.launcher.more_of_aws import MoreOfAws, more_of_aws
from tests.service import REGION, Service, scripted_service

ACCOUNT = "123456789012"
USER = "moto"  # whose name moto's STS gives to any key
REPOSITORY = "paddleocr-sagemaker"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


@dataclass(frozen=True)
class AnAccount:
    """The account, and the folder that the user works in."""

    service: Service
    aws: MoreOfAws
    folder: Path

    def client(self, name: str) -> Any:
        """Of the test itself: seen by nobody."""
        return self.service.own_client(name)

    def grant(self, document: dict[str, Any]) -> None:
        """Give the user this policy in place of the last one."""
        iam = self.client("iam")
        if USER not in [user["UserName"] for user in iam.list_users()["Users"]]:
            iam.create_user(UserName=USER)
        iam.put_user_policy(UserName=USER, PolicyName="granted", PolicyDocument=json.dumps(document))

    def push(self, manifest: dict[str, Any] | None = None, tag: str = "gpu") -> str:
        """An image in the repository; returns its address by digest."""
        ecr = self.client("ecr")
        if not ecr.describe_repositories()["repositories"]:
            ecr.create_repository(repositoryName=REPOSITORY)
        text = json.dumps(manifest or single_image())
        pushed = ecr.put_image(repositoryName=REPOSITORY, imageManifest=text, imageTag=tag)
        return f"{HOST}/{REPOSITORY}@{pushed['image']['imageId']['imageDigest']}"

    def make_ready(self, bucket: str, role: str) -> str:
        """A bucket, a role and an image, with the policies of docs/iam and no more; returns the image's address."""
        names = Names(ACCOUNT, REGION, bucket, "ocr", role, REPOSITORY)
        self.service.make_bucket(bucket)
        iam = self.client("iam")
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust_policy(names)))
        iam.put_role_policy(RoleName=role, PolicyName="job", PolicyDocument=json.dumps(policy(ROLE, names)))
        self.grant(policy(USER_POLICY, names))
        return self.push()

    @property
    def names(self) -> Names:
        """What setup calls the things it makes here."""
        return Names(
            account=ACCOUNT,
            region=REGION,
            bucket=f"paddleocr-sagemaker-{ACCOUNT}-{REGION}",
            prefix="ocr",
            role=f"paddleocr-sagemaker-{REGION}",
            repository=REPOSITORY,
        )


@contextmanager
def an_account(environment: pytest.MonkeyPatch, folder: Path, **options: Any) -> Iterator[AnAccount]:
    """Until the end of the block this process, and those it starts, are in it. `options`: of scripted_service."""
    with scripted_service(**options) as service, more_of_aws(service) as aws:
        use_no_aws(environment)
        for name, value in aws.environment.items():
            environment.setenv(name, value)
        environment.chdir(folder)
        environment.setattr(prices, "_known", {})
        yield AnAccount(service, aws, folder)


def single_image() -> dict[str, Any]:
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 7, "digest": f"sha256:{'c' * 64}"}
    layer = {"mediaType": "x", "size": 3_000_000_000, "digest": f"sha256:{'1' * 64}"}
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": config,
        "layers": [layer],
    }
