"""The execution role: it is there, and SageMaker may become it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from launcher.aws import Account, error_code
from launcher.cloud.call import setup_command
from launcher.cloud.check import Check, asking, fine, problem, unknown
from launcher.cloud.default_names import default_role
from launcher.cloud.permissions import SAGEMAKER

NAME, TRUST = "role", "role trust"
VARIABLE = "SAGEMAKER_ROLE"

_ARN = re.compile(r"arn:[a-z-]+:iam::(\d{12}):role/(?:.+/)?([\w+=,.@-]+)")
# A SageMaker notebook calls as `assumed-role/ROLE/SageMaker`; the same role can run jobs.
_NOTEBOOK = re.compile(r"arn:[a-z-]+:sts::\d{12}:assumed-role/([\w+=,.@-]+)/SageMaker")
_NAME = re.compile(r"[\w+=,.@-]{1,64}")


def role_name(role: str) -> str:
    """The name in an ARN, or the name that was given; empty when it is neither."""
    found = _ARN.fullmatch(role)
    return found[2] if found else role if _NAME.fullmatch(role) else ""


def named_role(role: str, caller: str = "") -> str:
    """The role that is given, or that SageMaker's own tools take from the environment, or that of the notebook.

    `caller`: the ARN that calls.
    """
    notebook = _NOTEBOOK.fullmatch(caller)
    return role or os.environ.get(VARIABLE, "") or (notebook[1] if notebook else "")


def check_role(account: Account, role: str, setup: Callable[..., str] = setup_command) -> tuple[Check, Check]:
    """Is there such a role, and does it trust SageMaker?"""
    if not role:
        missing = problem(
            NAME, "no execution role is set", f"run `{setup()}`, or name one with --role or in launcher.yml"
        )
        return missing, unknown(TRUST, "there is no role to look at")
    found = _ARN.fullmatch(role)
    if found and found[1] != account.id:
        wrong = problem(
            NAME,
            f"{role} is of account {found[1]}, and these credentials are of {account.id}",
            "a job takes a role of its own account: name another --role or --profile",
        )
        return wrong, unknown(TRUST, "the role is another account's")
    name = role_name(role)
    if not name:
        return problem(NAME, f"{role} is neither a role's name nor its ARN", "correct --role"), unknown(
            TRUST, "there is no role to look at"
        )
    document: list[dict[str, Any]] = []

    def look() -> Check:
        found = _find(account, name)
        if found is None:
            return problem(
                NAME,
                f"there is no role {name} in account {account.id}",
                f"run `{setup()}`, which makes it, or correct --role",
            )
        document.append(found["AssumeRolePolicyDocument"])
        return fine(NAME, str(found["Arn"]))

    check = asking(NAME, f"looking for the role {name}", look)
    if not document:
        return check, unknown(TRUST, "the role was not seen")
    return check, judge_trust(name, document[0], account.id, setup(role=default_role(account)))


def judge_trust(name: str, document: dict[str, Any], account: str, setup: str) -> Check:
    """Does this trust policy let SageMaker become the role, for this account? `setup`: the command that makes one."""
    remedy = (
        f"let {SAGEMAKER} do sts:AssumeRole in the role's trust policy, as docs/iam/trust.json has it, or run "
        f"`{setup}`, which makes a role of its own"
    )
    conditions: list[dict[str, Any]] = []
    for statement in _listed(document.get("Statement")):
        if not _is_about_sagemaker(statement):
            continue
        if statement.get("Effect") == "Deny" and not statement.get("Condition"):
            return problem(TRUST, f"the trust policy of {name} denies it to {SAGEMAKER}", remedy)
        if statement.get("Effect") == "Allow":
            conditions.append(statement.get("Condition") or {})
    if not conditions:
        return problem(TRUST, f"{name} does not trust {SAGEMAKER}, so no job can run as it", remedy)
    judged = [_meets(condition, account) for condition in conditions]
    if True in judged:
        return fine(TRUST, f"{SAGEMAKER} may become {name}")
    if None in judged:
        return unknown(TRUST, f"{SAGEMAKER} may become {name} under conditions that only a job can meet")
    return problem(TRUST, f"{name} trusts {SAGEMAKER} for another account than {account} only", remedy)


def _find(account: Account, name: str) -> dict[str, Any] | None:
    client = account.client("iam")
    try:
        return dict(client.get_role(RoleName=name)["Role"])
    except client.exceptions.ClientError as error:
        if error_code(error) == "NoSuchEntity":
            return None
        raise


def _is_about_sagemaker(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal") or {}
    services = _listed(principal.get("Service")) if isinstance(principal, dict) else [principal]
    actions = [str(action).lower() for action in _listed(statement.get("Action"))]
    return any(each in (SAGEMAKER, "*") for each in services) and any(
        action in ("sts:assumerole", "sts:*", "*") for action in actions
    )


def _meets(condition: dict[str, Any], account: str) -> bool | None:
    """Whether a job of this account meets the condition; None: it asks for more than the account."""
    asked: list[bool | None] = []
    for operator, tests in condition.items():
        for key, wanted in tests.items():
            if key.lower() == "aws:sourceaccount" and operator.lower() in ("stringequals", "stringlike"):
                asked.append(account in map(str, _listed(wanted)))
            else:
                asked.append(None)
    return False if False in asked else None if None in asked else True


def _listed(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    return value if isinstance(value, list) else [] if value is None else [value]
