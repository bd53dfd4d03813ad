"""Whether the user and the role may do what the job needs, as IAM's simulator sees it. Nothing is tried out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from contract.errors import UserError
from launcher.aws import Account, explained
from launcher.cloud.check import Check, asking, fine, problem, unknown
from launcher.cloud.partition import partition_of
from launcher.cloud.permissions import ROLE, USER, Names, actions_by_resource
from launcher.cloud.probes.places import Place, Places, is_named, places_like

CALLER_MAY, ROLE_MAY = "permissions", "role permissions"
SHOWN = 4  # denied actions in one sentence

# Without these CreateTrainingJob is refused; only policies of the user can allow them.
STOPS_USER = ("sagemaker:CreateTrainingJob", "sagemaker:AddTags", "iam:PassRole")
# Without these the job fails. Policies of bucket and repository can allow them too, unless they are denied in words.
STOPS_ROLE = ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
STOPS_ROLE_ALONE = ("ecr:GetAuthorizationToken",)

_SESSION = re.compile(r"arn:[a-z-]+:sts::\d{12}:assumed-role/([^/]+)/.+")


def check_caller(account: Account, names: Names, places: Places) -> Check:
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

    def work() -> Check:
        known = places if places.role else replace(places, role=_arn_of_role(account, names.role))
        return _simulate(account, CALLER_MAY, USER, arn, names, known, remedy)

    return asking(CALLER_MAY, "asking IAM's simulator", work)


def check_execution_role(account: Account, names: Names, places: Places) -> Check:
    """May the execution role read the data, write checkpoints and model, pull the image, and log?"""
    if not names.role:
        return unknown(ROLE_MAY, "there is no role to ask about")
    arn = f"arn:{partition_of(account.region).name}:iam::{account.id}:role/{names.role}"
    remedy = f"give the role {names.role} what docs/iam/{ROLE}.json has"

    def work() -> Check:
        client = account.client("iam")
        try:
            found = client.get_role(RoleName=names.role)["Role"]["Arn"]
        except client.exceptions.NoSuchEntityException:  # the check of the role says so
            return unknown(ROLE_MAY, "there is no role to ask about")
        return _simulate(account, ROLE_MAY, ROLE, found, names, places, remedy)

    return asking(ROLE_MAY, f"asking IAM's simulator about {arn}", work)


def _arn_of_role(account: Account, name: str) -> str:
    """With its path; empty where there is no such role, or these credentials may not look: other checks say so."""
    from botocore.exceptions import ClientError

    try:
        return str(account.client("iam").get_role(RoleName=name)["Role"]["Arn"]) if name else ""
    except ClientError:
        return ""


def _policy_source(account: Account) -> str:
    """The ARN that IAM simulates: a user's own, or that of the role behind a session, which may have a path."""
    session = _SESSION.fullmatch(account.arn)
    if not session:
        return account.arn if ":user/" in account.arn else ""
    return str(account.client("iam").get_role(RoleName=session[1])["Role"]["Arn"])


def _simulate(account: Account, name: str, who: str, arn: str, names: Names, places: Places, remedy: str) -> Check:
    client = account.client("iam")
    denied: dict[str, None] = {}
    doubtful: dict[str, None] = {}
    unclear: dict[str, None] = {}
    allowed: dict[str, None] = {}
    for resource, actions, _ in actions_by_resource(who, names, needed=True):
        if not is_named(resource, names):
            unclear |= dict.fromkeys(actions)
            continue
        for place in places_like(resource, names, places):
            for result in _results(client, arn, actions, place):
                action = result["EvalActionName"]
                if result["EvalDecision"] == "allowed":
                    allowed[action] = None
                elif result.get("MissingContextValues"):
                    unclear[action] = None
                else:
                    sure = place.is_real and _stops_the_job(who, action, result["EvalDecision"])
                    (denied if sure else doubtful)[action] = None
    if denied:
        return problem(name, f"{arn} may not do {_few(denied)}", remedy)
    if doubtful:
        why = "a policy of the bucket, the repository or other names may still allow it, or the job may do without"
        return unknown(name, f"by its own policies {arn} may not do {_few(doubtful)}; {why}", remedy)
    if unclear:
        return unknown(name, f"allowed are {len(allowed)} actions; not asked or not clear: {', '.join(unclear)}")
    return fine(name, f"{arn} may do the {len(allowed)} things that a job needs, says IAM's simulator")


def _stops_the_job(who: str, action: str, decision: str) -> bool:
    """Nothing else can allow it: neither a policy of bucket or repository, which the simulator does not see, nor luck.

    A check that may be wrong stops nobody.
    """
    if who == USER:
        return action in STOPS_USER
    return action in STOPS_ROLE_ALONE or (action in STOPS_ROLE and decision == "explicitDeny")


def _few(actions: Iterable[str]) -> str:
    names = [*actions]
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _results(client: Any, arn: str, actions: list[str], place: Place) -> list[dict[str, Any]]:
    """The simulator's verdict on each action; conditions get the values that a job would have."""
    context = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"} for key, value in place.context
    ]
    pages = client.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=arn, ActionNames=actions, ResourceArns=[place.arn], ContextEntries=context
    )
    return [result for page in pages for result in page["EvaluationResults"]]
