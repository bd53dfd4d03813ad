"""The execution role: SageMaker may become it, for this account; it may do what a job needs in one bucket."""

from __future__ import annotations

import json
from itertools import chain, count
from typing import Any

from contract.errors import UserError
from launcher.aws import Account, error_code, explained
from launcher.cloud.parts.part import INCOMPLETE, MISSING, OTHERS, OURS, TAG, Contents, Found, is_ours
from launcher.cloud.permissions import ROLE, Names, policy, trust_policy
from launcher.status_line import PlainStatus

POLICY_NAME = "paddleocr-sagemaker"


class Role:
    """One role of the account, with one policy of its own."""

    kind = "role"

    def __init__(self, account: Account, names: Names) -> None:
        self.name = names.role
        self._names = names
        self._account = account
        self._client = account.client("iam")

    def look(self) -> Found:
        with explained(f"looking for the role {self.name}"):
            role = self._role()
            if role is None:
                return Found(MISSING)
            if not is_ours(role.get("Tags", [])):
                return Found(OTHERS)
            written = self._written_policy()
        if written is None:
            return Found(INCOMPLETE, "its policy is missing")
        if written != policy_with(written, policy(ROLE, self._names)):
            return Found(INCOMPLETE, "its policy lacks this bucket, prefix, repository or version")
        return Found(OURS)

    def plan(self) -> str:
        bucket, prefix = self._names.bucket, self._names.prefix
        return (
            f"for SageMaker in account {self._account.id} alone: reads s3://{bucket}/{prefix}/, writes its runs/, "
            f"pulls {self._names.repository}, logs (docs/iam/{ROLE}.json)"
        )

    def create(self) -> tuple[str, ...]:
        client = self._client
        with explained(f"creating the role {self.name}"):
            try:
                client.create_role(
                    RoleName=self.name,
                    AssumeRolePolicyDocument=json.dumps(trust_policy(self._names)),
                    Description="Training jobs of paddleocr-sagemaker",
                    Tags=[TAG],
                )
                client.get_waiter("role_exists").wait(RoleName=self.name)
            except client.exceptions.EntityAlreadyExistsException:
                if self.look().state == OTHERS:  # someone was quicker
                    raise
            # Added to, never replaced: jobs under way live on what is there.
            document = policy_with(self._written_policy(), policy(ROLE, self._names))
            client.put_role_policy(RoleName=self.name, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(document))
        return ()

    def contents(self, view: PlainStatus) -> Contents | None:
        return None

    def serves(self, job: dict[str, Any]) -> bool:
        return str(job.get("RoleArn", "")).endswith(f"/{self.name}")

    def remove(self, view: PlainStatus, *, deletes_data: bool) -> None:
        with explained(f"deleting the role {self.name}"):
            attached = self._client.list_attached_role_policies(RoleName=self.name)["AttachedPolicies"]
            pages = self._client.get_paginator("list_role_policies").paginate(RoleName=self.name)
            written = [name for page in pages for name in page["PolicyNames"]]
            others = [*(each["PolicyName"] for each in attached), *(name for name in written if name != POLICY_NAME)]
            if others:
                raise UserError(
                    f"the role {self.name} has policies that setup did not make ({', '.join(others)}): detach or "
                    "delete them, then start again"
                )
            if POLICY_NAME in written:
                self._client.delete_role_policy(RoleName=self.name, PolicyName=POLICY_NAME)
            self._client.delete_role(RoleName=self.name)

    @property
    def arn(self) -> str:
        """As AWS has it: a role that was there may have a path."""
        with explained(f"looking for the role {self.name}"):
            role = self._role()
        return str(role["Arn"]) if role else ""

    def _role(self) -> dict[str, Any] | None:
        try:
            return dict(self._client.get_role(RoleName=self.name)["Role"])
        except self._client.exceptions.NoSuchEntityException:
            return None

    def _written_policy(self) -> dict[str, Any] | None:
        try:
            return dict(self._client.get_role_policy(RoleName=self.name, PolicyName=POLICY_NAME)["PolicyDocument"])
        except self._client.exceptions.ClientError as error:
            if error_code(error) == "NoSuchEntity":
                return None
            raise


def policy_with(written: dict[str, Any] | None, wanted: dict[str, Any]) -> dict[str, Any]:
    """The policy that is there, and what it lacks of the one that is wanted. None: there is none."""
    if written is None:
        return wanted
    statements = [dict(each) for each in written["Statement"]]
    for new in wanted["Statement"]:
        like = [each for each in statements if _without_resource(each) == _without_resource(new)]
        missing = [arn for arn in _listed(new["Resource"]) if not any(arn in _listed(old["Resource"]) for old in like)]
        if not missing:
            continue
        if like:
            like[0]["Resource"] = [*_listed(like[0]["Resource"]), *missing]
        else:
            statements.append(new | {"Sid": _unused(new["Sid"], statements)})
    return written | {"Statement": statements}


def _without_resource(statement: dict[str, Any]) -> dict[str, Any]:
    return {key: statement.get(key) for key in ("Effect", "Action", "Condition")}


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _unused(sid: str, statements: list[dict[str, Any]]) -> str:
    """Sids are unique in a policy, and have letters and digits only."""
    taken = [each.get("Sid") for each in statements]
    return next(name for name in chain([sid], (f"{sid}{number}" for number in count(2))) if name not in taken)
