"""`submit --instance ml.…`: from the settings to a job on SageMaker that is followed to its end."""

from __future__ import annotations

import json
import shlex
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from contract.errors import UserError
from contract.parameters import OpenRecipe
from contract.starting import EXIT_CTRL_C
from contract.streams import people
from launcher.aws import Account, explained, open_account
from launcher.cloud.at_hand import check_call
from launcher.cloud.call import Commands, commands_like, given_to, setup_command, words_like
from launcher.cloud.creation import NoRoom, Stopped, Uncertain, create
from launcher.cloud.difference import asked_otherwise
from launcher.cloud.facts import gather_facts
from launcher.cloud.job import COMPLETED, STOPPING, Job, current_job, jobs_of_run
from launcher.cloud.patience import Clock
from launcher.cloud.plan import CloudFacts, CloudPlan, plan_cloud_run
from launcher.cloud.plan_text import describe_plan, plan_as_json
from launcher.cloud.pushed import push_command
from launcher.cloud.request import build_request
from launcher.cloud.settings import CloudSettings
from launcher.command_line import without_flags
from launcher.entry import EXIT_FAILED, every_stop_is_ctrl_c
from launcher.flags import PUSH, SUBMIT
from launcher.next_steps import after_dry_run
from launcher.people import answer, say
from launcher.settings import Settings, load_settings

# What a stop leaves behind, by what was under way.
NOTHING_SENT = "stopped: nothing was sent, nothing is billed"
SOME_UPLOADED = "stopped: no job was submitted; what is in S3 stays, and the same command sends only the rest"
SUBMITTED = "stopped; the job goes on"


@dataclass(frozen=True)
class SubmitCommands(Commands):
    """Commands for the same account. `submit` again has the other flags of this call as well."""

    argv: tuple[str, ...] = ()

    def __call__(self, verb: str, *words: str) -> str:
        if verb != SUBMIT.name:
            return super().__call__(verb, *words)
        replaced = [flag.key for flag in SUBMIT.flags if set(flag.flags) & set(words)]
        kept = without_flags(SUBMIT, self.argv, ("run", "resume", "fresh", "from_job", "json", *replaced))
        return shlex.join([*SUBMIT.program.split(), *words, *kept])


def submit_to_cloud(
    settings: Settings, environment: Mapping[str, str] | None = None, clock: Clock | None = None
) -> int:
    """One call. Returns the exit code. Raises UserError."""
    submission = _Submission(settings, clock)
    with every_stop_is_ctrl_c():
        try:
            return submission.run(environment)
        except KeyboardInterrupt as stop:
            return submission.leave(there_is_a_job=stop.exists if isinstance(stop, Stopped) else None)
        except UserError as error:
            if not submission.has_begun:
                raise
            return submission.fail(error)


class _Submission:
    """One call and how far it is."""

    def __init__(self, settings: Settings, clock: Clock | None) -> None:
        self.settings = settings
        self.clock = clock
        self.left_behind = NOTHING_SENT
        self.job: str | None = None  # the name of the newest job that this call has asked for
        self.has_begun = False  # a job of the run exists, or may exist: what goes wrong now is no refusal

    @property
    def wanted(self) -> CloudSettings:
        assert self.settings.cloud is not None
        return self.settings.cloud

    @property
    def commands(self) -> SubmitCommands:
        return SubmitCommands(commands_like(given_to(self.settings)).same, self.settings.argv)

    def run(self, environment: Mapping[str, str] | None) -> int:
        """Plan, show, upload, submit, follow."""
        check_call(self.settings)
        account, region, obstacles = self._open()
        if account and (self.wanted.from_job or self.settings.must_exist):
            self.settings = self._with_earlier_job(account, environment)
        jobs = self._earlier(account)
        if account and (running := _running(jobs)) and not (self.settings.fresh or self.settings.dry_run):
            return self._attach(account, running)
        gathered = gather_facts(self.settings, account, region, jobs, obstacles)
        plan = plan_cloud_run(self.settings, gathered.facts)
        request = build_request(plan)
        if account and plan.finished and not self.settings.dry_run:
            return self._tell_finished(account, plan.finished)
        say(describe_plan(plan))
        if self.settings.dry_run:
            shown = {"request": request, "plan": plan_as_json(plan)} if self.settings.json else request
            code = answer(json.dumps(shown, indent=2), 0)
            say(str(after_dry_run(self.settings, plan)))
            return code
        assert account is not None
        _refuse(plan)
        _check_account(account, self.settings, plan, gathered.recipe)
        if not self._is_confirmed():
            raise UserError("not submitted: nothing was sent")
        from launcher.cloud.upload import bring

        self.left_behind = SOME_UPLOADED
        gathered = bring(gathered, account, self.wanted.kms_key)
        jobs = self._earlier(account)  # once more: uploading takes its time
        if running := _running(jobs):
            return self._attach(account, running)
        facts = replace(gathered.facts, jobs=jobs)
        plan = plan_cloud_run(self.settings, facts)
        if plan.finished:
            return self._tell_finished(account, plan.finished)
        return self._climb(account, facts, plan)

    def leave(self, *, there_is_a_job: bool | None) -> int:
        """Ctrl-C: say what exists and how to go on. None: this call has not come to creating one, or has created it."""
        if there_is_a_job is None:
            there_is_a_job = self.left_behind == SUBMITTED
        elif there_is_a_job:
            self.left_behind = SUBMITTED
        else:
            self.job, self.left_behind = None, f"stopped: the job {self.job} was not submitted, nothing is billed"
        say(self.left_behind)
        if there_is_a_job:
            say(self._next("watch", "stop"))
        left = {"run": self.settings.run, "job": self.job, "status": "stopped", "exit_code": EXIT_CTRL_C}
        return answer(json.dumps(left), EXIT_CTRL_C) if self.settings.json else EXIT_CTRL_C

    def fail(self, error: UserError) -> int:
        """Something went wrong when a job was there already, or may have been."""
        if self.settings.debug:
            traceback.print_exc(file=people())
        say(f"error: {error}")
        left = {"run": self.settings.run, "job": self.job, "status": "unknown", "reason": str(error)}
        return answer(json.dumps(left | {"exit_code": EXIT_FAILED}), EXIT_FAILED) if self.settings.json else EXIT_FAILED

    def _next(self, *verbs: str) -> str:
        return "\n".join(f"  {verb:12} {self.commands(verb, self.settings.run)}" for verb in verbs)

    def _open(self) -> tuple[Account | None, str, tuple[str, ...]]:
        """The account and the region. A dry run that has a bucket to plan with goes on without an account, and says
        what keeps it from AWS.
        """
        from data_preparation.aws import open_session

        try:
            account = open_account(self.wanted.profile, self.wanted.region)
        except UserError as error:
            if not self.wanted.instances:
                raise UserError(f"{error}; a run of this machine is resumed with its --instance") from None
            has_place = self.wanted.bucket or self.wanted.runs
            if not self.settings.dry_run or self.wanted.from_job or not has_place:
                raise
            with explained("reading the AWS settings of this machine"):
                _, region = open_session(self.wanted.profile, self.wanted.region)
            return None, region, (str(error),)
        return account, account.region, ()

    def _with_earlier_job(self, account: Account, environment: Mapping[str, str] | None) -> Settings:
        from launcher.cloud.repeat import REPEATS, RESUMES, settings_of_job

        if self.wanted.from_job and self.settings.must_exist:
            raise UserError("--from-job makes a new run and --resume continues one: give one of them")
        named, flag = (self.wanted.from_job, REPEATS) if self.wanted.from_job else (self.settings.run, RESUMES)
        return load_settings(list(self.settings.argv), environment, job=settings_of_job(account, named, flag))

    def _earlier(self, account: Account | None) -> tuple[Job, ...] | None:
        """The jobs of the run so far, none for a name that was just made up; None: AWS could not be asked."""
        if account is None:
            return None
        is_new = any(key == "run" and origin == "built-in" for key, _, origin in self.settings.origins)
        return () if is_new else tuple(jobs_of_run(account, self.settings.run))

    def _attach(self, account: Account, job: Job) -> int:
        say(f"run {job.run} is running already, as job {job.name}: it is followed, and nothing new is submitted")
        self._tell_difference(job)
        self.job, self.has_begun, self.left_behind = job.name, True, SUBMITTED
        return self._follow(account, job)

    def _tell_difference(self, job: Job) -> None:
        if other := asked_otherwise(self.settings, job):
            say(f"note: it trains without {' '.join(other)}: to change that, `{self.commands('stop', job.run)}` first")

    def _tell_finished(self, account: Account, job: Job) -> int:
        from launcher.cloud.aftermath import describe_result, result_as_json
        from launcher.cloud.prices import price_of

        price = price_of(account, job.instance, account.region)
        say(f"nothing to do: {job.name} has trained exactly this (--fresh starts over, --epochs goes further)")
        say(describe_result(job, None, price, self.commands))
        return answer(json.dumps(result_as_json(job, None, price)), 0) if self.settings.json else 0

    def _is_confirmed(self) -> bool:
        """Asked on a terminal only: scripts are never kept waiting."""
        if not self.wanted.asks or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return True
        print("Submit? [y/N] ", end="", file=people(), flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _climb(self, account: Account, facts: CloudFacts, plan: CloudPlan) -> int:
        """Submit the job on the first of its instances that takes it, and follow it."""
        from launcher.watch import console_address

        rung, *others = plan.rungs
        self.job, self.left_behind = plan.job, SOME_UPLOADED
        try:
            job = create(account, build_request(plan, rung))
        except NoRoom as error:
            if not others:
                raise
            say(f"{error}\nmoving on to {others[0].instance}")
            return self._climb(account, facts, replace(plan, rungs=tuple(others)))
        except Uncertain as error:
            self.has_begun = True
            raise UserError(
                f"{error}; it may exist and be billed: {self.commands('watch', self.settings.run)}, and the same "
                "submission again makes no second one"
            ) from error
        self.has_begun, self.left_behind = True, SUBMITTED
        say(f"job {job.name} on {job.instance} is submitted: {console_address(job)}")
        self._tell_difference(job)  # somebody else's submission of this run may have been first
        return self._follow(account, job, facts, tuple(each.instance for each in others))

    def _follow(self, account: Account, job: Job, facts: CloudFacts | None = None, others: tuple[str, ...] = ()) -> int:
        """Follow the job to its end; where AWS has no machine for it, the run goes on on one of the `others`."""
        from launcher.cloud.forecast import final_cost
        from launcher.cloud.prices import price_of
        from launcher.watch import follow, tell_end

        if not self.wanted.waits:
            return self._leave(account, job)
        price = price_of(account, job.instance, account.region)
        try:
            followed = follow(account, job, price, self.clock)
        except UserError as error:
            raise UserError(f"{error}; the job {job.name} goes on: {self.commands('watch', job.run)}") from error
        ended = followed.job
        if facts and others and found_no_machine(ended):
            say(f"{ended.name}: {ended.reason or ended.secondary}\nmoving on to {others[0]}")
            self.left_behind = SOME_UPLOADED
            self.settings = _for_the_rest(self.settings, others, final_cost(ended, price) or 0)
            facts = replace(facts, jobs=(*(facts.jobs or ()), ended))
            return self._climb(account, facts, plan_cloud_run(self.settings, facts))
        return tell_end(followed, price, self.commands, self.settings.json)

    def _leave(self, account: Account, job: Job) -> int:
        """--no-wait: what comes next is the user's."""
        from launcher.cloud.aftermath import result_as_json
        from launcher.cloud.prices import price_of

        say(self._next("watch", "status", "stop"))
        if not self.settings.json:
            return 0
        return answer(json.dumps(result_as_json(job, None, price_of(account, job.instance, account.region))), 0)


def found_no_machine(job: Job) -> bool:
    """It is over because AWS had no machine for it (any more)."""
    waited_in_vain = job.secondary == "MaxWaitTimeExceeded" and job.start is None
    return job.status != COMPLETED and (job.lacks_capacity or waited_in_vain)


def _refuse(plan: CloudPlan) -> None:
    """Raise UserError for what a submission does not get past."""
    if plan.obstacles:
        others = len(plan.obstacles) - 1
        raise UserError(plan.obstacles[0] + (f" (and {others} more, see `missing` above)" if others else ""))


def _check_account(account: Account, settings: Settings, plan: CloudPlan, recipe: OpenRecipe | None) -> None:
    """Ask AWS what would refuse the job or make it fail. A local dataset has been checked. Raises UserError."""
    from launcher.cloud.checks import OK, CheckRequest, problems_of, run_checks
    from launcher.cloud.probes.places import places_of
    from launcher.status_line import status_line

    wanted, given = settings.cloud, given_to(settings)
    assert wanted is not None
    with status_line() as view:
        view.set("asking AWS what would refuse the job")
        checks = run_checks(
            CheckRequest(
                setup_command=partial(setup_command, given),
                push_command=push_command(wanted.instances[0], *words_like(PUSH, given)),
                instances=wanted.instances,
                instance_count=plan.count,
                spot=plan.spot,
                max_run_s=plan.rungs[0].max_run_s,
                volume_gb=plan.rungs[0].volume_gb,
                region=plan.region,
                profile=wanted.profile,
                bucket=plan.layout.root.bucket,
                prefix=wanted.prefix,
                others=tuple(place for place in (plan.output, plan.checkpoints) if place),
                role=plan.role,
                image_uris=tuple(dict.fromkeys(rung.image for rung in plan.rungs)),
                dataset=None if wanted.validation else wanted.dataset,  # with another one to validate it lacks val.txt
                dataset_size=plan.data_bytes,
                recipe=recipe,
                places=places_of(plan),
            ),
            account,
        )
    problems = problems_of(checks)
    for check in checks:
        if check.status != OK and check not in problems[:1]:  # which is the error itself
            say(f"{check.status}: {check.sentence}")
    if problems:
        more = f"{len(problems) - 1} more above; " if len(problems) > 1 else ""
        raise UserError(f"{problems[0].sentence} ({more}nothing was sent)")


def _for_the_rest(settings: Settings, instances: tuple[str, ...], spent: float) -> Settings:
    """What is asked of the next job: other instances, the same checkpoints, the money that is left."""
    assert settings.cloud is not None
    limit = settings.cloud.max_cost
    cloud = replace(settings.cloud, instances=instances, max_cost=None if limit is None else limit - spent)
    return replace(settings, cloud=cloud, fresh=False)


def _running(jobs: tuple[Job, ...] | None) -> Job | None:
    """The job of the run that trains now."""
    job = current_job(jobs) if jobs else None
    return job if job and not job.is_over and job.status != STOPPING else None
