"""`python -m launcher setup`: the bucket, the role and the repository that jobs need, made unless they are there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import UserError
from launcher.entry import enter
from launcher.flags import SETUP
from launcher.people import answer, say
from launcher.sources import Given, gather

if TYPE_CHECKING:
    from launcher.aws import Account
    from launcher.cloud.parts.part import Found, Part
    from launcher.cloud.permissions import Names
    from launcher.next_steps import Step

STOPPED = "stopped; starting again makes what is missing"


def main(argv: list[str] | None = None) -> int:
    """One call. Returns the exit code."""
    return enter(argv, _explained_setup, result="created", stopped=STOPPED)


def _explained_setup(argv: list[str]) -> int:
    """A refusal names the policy: one permission after another would be asked for."""
    from data_preparation.aws import is_denied

    try:
        return setup(argv)
    except UserError as error:
        if not is_denied(error.__cause__):
            raise
        raise UserError(f"{error}; docs/iam/setup.json has all that setup needs") from error


def setup(argv: list[str]) -> int:
    """Look at all three, then make what is missing."""
    given = gather(SETUP, argv)
    # Imported here: --help and a wrong flag need none of this (boto3).
    from launcher.aws import open_account
    from launcher.cloud.parts import parts_of
    from launcher.cloud.parts.part import INCOMPLETE, MISSING, OURS

    is_dry = "dry_run" in given
    account = open_account(_text(given, "profile"), _text(given, "region"))
    names = names_of(account, given)
    looked = [(part, part.look()) for part in parts_of(account, names)]
    created = []
    for part, found in looked:
        if found.state in (MISSING, INCOMPLETE):
            created.append(part.name)
            notes = () if is_dry else part.create()
            say(_told(part, found, is_dry))
            for note in notes:
                say(f"note: {note}")
        else:
            whose = "" if found.state == OURS else ", not made by setup: left as it is"
            say(f"{part.kind:10} {part.name} is there{whose}")
    settings = {"region": account.region, "bucket": names.bucket, "role": names.role}
    _note(settings | _chosen(given), given, is_dry)
    say(str(_next(given, is_dry)))
    shown = settings | {"repository": names.repository, "would_create" if is_dry else "created": created}
    return answer(json.dumps(shown), 0) if "json" in given else 0


def names_of(account: Account, given: Mapping[str, Given]) -> Names:
    """The names that were given, else ours. Raises UserError."""
    from launcher.cloud.default_names import default_bucket, default_role
    from launcher.cloud.layout import check_bucket, check_key
    from launcher.cloud.permissions import Names
    from launcher.cloud.probes.role import role_name
    from launcher.images.ecr import check_address, parse_address

    address = parse_address(_text(given, "repository"))
    check_address(address, account)
    role = role_name(_text(given, "role")) if "role" in given else default_role(account)
    if not role:
        raise UserError(f"--role {_text(given, 'role')} is neither a role's name nor its ARN: correct it")
    bucket = check_bucket(_text(given, "bucket").removeprefix("s3://").rstrip("/")) if "bucket" in given else ""
    return Names(
        account=account.id,
        region=account.region,
        bucket=bucket or default_bucket(account),
        prefix=check_key(_text(given, "prefix").strip("/")),
        role=role,
        repository=address.name,
    )


def _told(part: Part, found: Found, is_dry: bool) -> str:
    would = "would be " if is_dry else ""
    if found.note:
        return f"{part.kind:10} {part.name} {would}completed: {found.note}"
    return f"{part.kind:10} {part.name} {would}created: {part.plan()}"


def _note(settings: Mapping[str, str], given: Mapping[str, Given], is_dry: bool) -> None:
    """The names in launcher.yml with --write, else on the screen."""
    from launcher.config_file import write_settings

    path = Path.cwd() / str(given["config_file"].raw)
    if "write" not in given:
        say(f"for launcher.yml (setup --write notes it there): {'; '.join(f'{k}: {v}' for k, v in settings.items())}")
    elif is_dry:
        say(f"{path.name} would get {'; '.join(f'{key}: {value}' for key, value in settings.items())}")
    elif changed := write_settings(path, settings):
        say(f"{path.name} has {', '.join(changed)} now")


def _chosen(given: Mapping[str, Given]) -> dict[str, str]:
    """What other verbs cannot guess: the profile that was named, and names that are not the built-in ones."""
    return {key: _text(given, key) for key in ("profile", "prefix", "repository") if _is_chosen(given, key)}


def _is_chosen(given: Mapping[str, Given], key: str) -> bool:
    return key in given and given[key].origin != "built-in"


def _next(given: Mapping[str, Given], is_dry: bool) -> Step:
    from launcher.cloud.call import setup_command
    from launcher.next_steps import Step, after_setup

    if is_dry:
        return Step(setup_command(given), "makes what is missing and notes the names in launcher.yml")
    if "write" not in given:
        return Step(
            setup_command(given), "makes nothing twice, and notes the names in launcher.yml for all other verbs"
        )
    noted = ("region", *_chosen(given))
    return after_setup({key: each for key, each in given.items() if key not in noted})


def _text(given: Mapping[str, Given], key: str) -> str:
    return str(given[key].raw) if key in given else ""


if __name__ == "__main__":
    raise SystemExit(main())
