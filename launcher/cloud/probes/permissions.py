"""Whether the user and the role may do what the job needs, as IAM's simulator sees it. Nothing is tried out."""

from __future__ import annotations

import re
from typing import Any

from contract.errors import UserError
from launcher.aws import Account, explained
from launcher.cloud.check import Check, asking, fine, problem, unknown
from launcher.cloud.permissions import ROLE, USER, Names, Resource, actions_by_resource, fill, partition_of

CALLER_MAY, ROLE_MAY = "permissions", "role permissions"
PLACEHOLDERS = ("BUCKET", "ROLE", "REPOSITORY")
SHOWN = 4  # denied actions in one sentence

_SESSION = re.compile(r"arn:[a-z-]+:sts::\d{12}:assumed-role/([^/]+)/.+")


def check_caller(account: Account, names: Names) -> Check:
    """May these credentials submit, follow and fetch?"""
    if account.arn.endswith(":root"):
        return fine(CALLER_MAY, "the account's root user may do everything")
    try:
        with explained("looking up the role of this session"):
            arn = _policy_source(account)
    except UserError as error:
        return unknown(CALLER_MAY, str(error).rpartition(": ")[0], "an administrator can ask IAM's policy simulator")
    if not arn:
        return unknown(CALLER_MAY, f"IAM does not simulate {account.arn}")
    remedy = f"grant {arn.rpartition('/')[2]} what docs/iam/{USER}.json has"
    return asking(
        CALLER_MAY, "asking IAM's simulator", lambda: _simulate(account, CALLER_MAY, USER, arn, names, remedy)
    )


def check_execution_role(account: Account, names: Names) -> Check:
    """May the execution role read the data, write checkpoints and model, pull the image, and log?"""
    if not names.role:
        return unknown(ROLE_MAY, "there is no role to ask about")
    arn = f"arn:{partition_of(account.region)}:iam::{account.id}:role/{names.role}"
    remedy = f"give the role {names.role} what docs/iam/{ROLE}.json has"

    def work() -> Check:
        client = account.client("iam")
        try:
            found = client.get_role(RoleName=names.role)["Role"]["Arn"]
        except client.exceptions.NoSuchEntityException:  # the check of the role says so
            return unknown(ROLE_MAY, "there is no role to ask about")
        return _simulate(account, ROLE_MAY, ROLE, found, names, remedy)

    return asking(ROLE_MAY, f"asking IAM's simulator about {arn}", work)


def _policy_source(account: Account) -> str:
    """The ARN that IAM simulates: a user's own, or that of the role behind a session, which may have a path."""
    session = _SESSION.fullmatch(account.arn)
    if not session:
        return account.arn if ":user/" in account.arn else ""
    return str(account.client("iam").get_role(RoleName=session[1])["Role"]["Arn"])


def _simulate(account: Account, name: str, who: str, arn: str, names: Names, remedy: str) -> Check:
    client = account.client("iam")
    denied: dict[str, None] = {}
    unclear: dict[str, None] = {}
    allowed: dict[str, None] = {}
    for resource, actions, arns in actions_by_resource(who, names, needed=True):
        if any(placeholder in text for text in arns for placeholder in PLACEHOLDERS):
            unclear |= dict.fromkeys(actions)  # not set yet: the checks of bucket, role and image say so
            continue
        for result in _results(client, arn, resource, actions, arns, names):
            is_allowed, misses = result["EvalDecision"] == "allowed", result.get("MissingContextValues")
            (allowed if is_allowed else unclear if misses else denied)[result["EvalActionName"]] = None
    if denied:
        more = f" and {len(denied) - SHOWN} more" if len(denied) > SHOWN else ""
        return problem(name, f"{arn} may not do {', '.join([*denied][:SHOWN])}{more}", remedy)
    if unclear:
        return unknown(name, f"allowed are {len(allowed)} actions; not asked or not clear: {', '.join(unclear)}")
    return fine(name, f"{arn} may do the {len(allowed)} things that a job needs, says IAM's simulator")


def _results(
    client: Any, arn: str, resource: Resource, actions: list[str], arns: tuple[str, ...], names: Names
) -> list[dict[str, Any]]:
    """The simulator's verdict on each action; conditions get the values that a job would have."""
    context = [
        {"ContextKeyName": key, "ContextKeyValues": [_example(fill(values[0], names))], "ContextKeyType": "string"}
        for _, key, values in resource.condition
    ]
    pages = client.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=arn,
        ActionNames=actions,
        ResourceArns=[text if text == "*" else _example(text) for text in arns],
        ContextEntries=context,
    )
    return [result for page in pages for result in page["EvaluationResults"]]


def _example(pattern: str) -> str:
    """Something that a pattern means, such as ocr/x for ocr/*."""
    return pattern.replace("*", "x")
