"""What a call itself has wrong: looked at before AWS is asked, and before credentials are asked for."""

from __future__ import annotations

from contract.errors import UserError
from contract.recipe import load_recipe
from launcher.cloud.check import PROBLEM
from launcher.cloud.facts import as_asked
from launcher.cloud.plan import RecipeChoice
from launcher.cloud.probes.instance import check_instances
from launcher.cloud.settings import S3
from launcher.inputs import channels_here, choose_recipe
from launcher.settings import Settings


def check_call(settings: Settings) -> None:
    """Raise UserError for an instance that SageMaker lacks, inputs that are not there, a recipe that will not do.

    What another job says, or S3, is not at hand and is left to the plan.
    """
    wanted = settings.cloud
    assert wanted is not None
    _check_instances(wanted.instances)
    if wanted.from_job or settings.must_exist:
        return
    channels_here(settings)
    if settings.config.startswith(S3):
        return
    try:
        name, path = choose_recipe(settings, settings.dataset)
    except UserError:
        if wanted.dataset:  # it may be in there
            return
        raise
    as_asked(settings, RecipeChoice(name, load_recipe(path), str(path)))


def _check_instances(names: tuple[str, ...]) -> None:
    try:
        check = check_instances(names)
    except ImportError:  # of botocore: opening the account says how to install it
        return
    if check.status == PROBLEM:
        raise UserError(check.sentence)
