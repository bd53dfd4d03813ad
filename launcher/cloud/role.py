"""The execution role of a job, as an ARN."""

from __future__ import annotations

from contract.errors import UserError
from launcher.aws import Account, error_code, explained
from launcher.cloud.probes.role import named_role, role_name


def resolve_role(account: Account | None, role: str, setup: str) -> str:
    """The ARN of the role that is named, of SAGEMAKER_ROLE, or of the notebook this runs in; empty: none is known.

    `account`: None when AWS cannot be asked. `setup`: the command that makes one. Raises UserError.
    """
    role = named_role(role, account.arn if account else "")
    if not role or role.startswith("arn:") or account is None:
        return role if role.startswith("arn:") else ""
    if not role_name(role):
        raise UserError(f"--role {role} is neither a role's name nor its ARN: correct it")
    return _ask(account, role, setup)


def _ask(account: Account, name: str, setup: str) -> str:
    from botocore.exceptions import ClientError

    with explained(f"looking for the role {name}"):
        try:
            return str(account.client("iam").get_role(RoleName=name)["Role"]["Arn"])
        except ClientError as error:
            if error_code(error) != "NoSuchEntity":
                raise
    raise UserError(
        f"there is no role {name} in account {account.id}: correct --role, or run `{setup}`, which makes one"
    )
