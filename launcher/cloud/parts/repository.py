"""The repository in ECR: `push` makes it too, the same way."""

from __future__ import annotations

import re
from typing import Any

from contract.errors import UserError
from launcher.aws import Account, explained
from launcher.cloud.parts.part import MISSING, OTHERS, OURS, Contents, Found, is_ours
from launcher.images.ecr import UNTAGGED_DAYS, open_repository
from launcher.status_line import PlainStatus


class Repository:
    """One repository of the account."""

    kind = "repository"

    def __init__(self, account: Account, name: str) -> None:
        self.name = name
        self._account = account
        self._client = account.client("ecr")

    def look(self) -> Found:
        with explained(f"looking for the ECR repository {self.name}"):
            found = self._find()
            if found is None:
                return Found(MISSING)
            tags = self._client.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
        return Found(OURS if is_ours(tags) else OTHERS)

    def plan(self) -> str:
        return (
            f"in {self._account.region}, tags cannot be moved, images are scanned on push, untagged ones go after "
            f"{UNTAGGED_DAYS} days"
        )

    def create(self) -> tuple[str, ...]:
        return open_repository(self._account, self.name).notes

    def contents(self, view: PlainStatus) -> Contents | None:
        count = size = 0
        with explained(f"counting what is in the ECR repository {self.name}"):
            for page in self._client.get_paginator("describe_images").paginate(repositoryName=self.name):
                count += len(page["imageDetails"])
                size += sum(int(image.get("imageSizeInBytes", 0)) for image in page["imageDetails"])
        return Contents(count, size, "image")

    def serves(self, job: dict[str, Any]) -> bool:
        """Spot pulls the image again after each interruption."""
        image = str(job.get("AlgorithmSpecification", {}).get("TrainingImage", ""))
        host = f"{self._account.id}.dkr.ecr.{self._account.region}."
        return image.startswith(host) and re.split("[@:]", image.partition("/")[2])[0] == self.name

    def remove(self, view: PlainStatus, *, deletes_data: bool) -> None:
        with explained(f"deleting the ECR repository {self.name}"):
            try:
                self._client.delete_repository(repositoryName=self.name, force=deletes_data)
            except self._client.exceptions.RepositoryNotEmptyException:
                raise UserError(
                    f"an image was pushed to the repository {self.name} meanwhile: start again, which lists it"
                ) from None

    def _find(self) -> dict[str, Any] | None:
        try:
            return dict(self._client.describe_repositories(repositoryNames=[self.name])["repositories"][0])
        except self._client.exceptions.RepositoryNotFoundException:
            return None
