"""What a run on SageMaker will be, decided before anything is sent: places, limits, cost, checks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from contract.errors import UserError
from contract.fitting import Figures
from contract.hyperparameters import Hyperparameters, parse_hyperparameters
from contract.parameters import OpenRecipe, apply_parameters
from contract.recipe import Recipe
from data_preparation.wording import counted
from launcher.cloud.call import given_to, setup_command
from launcher.cloud.difference import changes
from launcher.cloud.expected import Expected, expect
from launcher.cloud.instances import DEFAULT_VOLUME_GB, InstanceFacts, has_own_disk, instance_facts
from launcher.cloud.job import COMPLETED, RUN_HYPERPARAMETER, Job, current_job
from launcher.cloud.layout import RunLayout, S3Uri, job_name, job_tags
from launcher.cloud.plan_checks import (
    DAY_S,
    LONGEST_WAIT_S,
    check_apart,
    check_earlier,
    check_encryption,
    check_image,
    check_network,
    check_role,
    check_time,
    hours,
    job_environment,
)
from launcher.cloud.prices import Cost, Price, cost_of, money, seconds_for
from launcher.cloud.settings import CloudSettings
from launcher.settings import Settings

SLACK_S = DAY_S  # added to --max-run for --max-wait: waiting for Spot capacity costs nothing

# Billed beside the time that --max-run limits: fetching image and data, 120 s to save and stop, sending the model.
BILLED_AROUND_S = 600
SHORTEST_RUN_S = 600  # --max-cost that buys less is a mistake: fetching image and data alone takes minutes

ROOM_FOR_DATA = 2  # times the data: File mode copies it, and the model, checkpoints and scratch want room too
FEW_SAVES_MINUTES = 30  # with Spot: each interruption repeats what was trained since the last checkpoint


@dataclass(frozen=True)
class Input:
    """What a channel holds: a folder in S3, and how large it is where that is known."""

    uri: S3Uri
    bytes: int | None = None
    source: str = ""  # the folder or file of this machine that goes there; empty: it is in S3 already


@dataclass(frozen=True)
class RecipeChoice:
    """The recipe of the job: how the hyperparameter `config` names it, and what it says."""

    name: str
    content: Recipe | None  # None: it is in S3 and could not be read
    where: str  # for messages


@dataclass(frozen=True)
class CloudFacts:
    """What the plan takes from the world around it."""

    now: datetime
    region: str
    layout: RunLayout
    channels: Mapping[str, Input]
    recipe: RecipeChoice
    data: Figures | None = None  # None: the dataset is in S3, and nobody counted it
    role: str = ""  # its ARN; empty: there is none
    images: Mapping[str, str] = field(default_factory=dict)  # by instance
    unpushed: Mapping[str, str] = field(default_factory=dict)  # by instance without an image: why, and what to do
    prices: Mapping[str, Price] = field(default_factory=dict)  # by instance, where known
    volume_key: str = ""  # the ARN of --kms-key where that is an alias; empty: it is none, or AWS could not be asked
    jobs: tuple[Job, ...] | None = ()  # of the run, the oldest first; None: AWS could not be asked
    found_step: int | None = None  # of the newest checkpoint that lies where a run without jobs will keep its own
    notes: tuple[str, ...] = ()  # for the user to know
    obstacles: tuple[str, ...] = ()  # what a submission will not get past, though a plan can be shown


@dataclass(frozen=True)
class Rung:
    """One instance type of --instance with what follows from it."""

    instance: str
    image: str
    max_run_s: int
    max_wait_s: int | None  # Spot only
    volume_gb: int
    volume_key: str
    price: Price | None
    expected: Expected | None  # None: neither instance nor recipe are known well enough


@dataclass(frozen=True)
class CloudPlan:
    """One job on SageMaker, in full."""

    run: str
    job: str
    region: str
    role: str
    layout: RunLayout
    rungs: tuple[Rung, ...]  # tried in turn
    count: int
    spot: bool
    keep_alive_s: int
    channels: Mapping[str, Input]
    hyperparameters: Mapping[str, str]
    environment: Mapping[str, str]
    tags: Mapping[str, str]
    checkpoints: S3Uri | None
    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    kms_key: str
    network_isolation: bool
    start: str  # what happens to the run's name, in words
    finished: Job | None  # it has done all this already
    notes: tuple[str, ...]
    obstacles: tuple[str, ...]

    @property
    def output(self) -> S3Uri:
        return self.layout.output

    @property
    def data_bytes(self) -> int | None:
        """Of all channels; None when one is not known."""
        sizes = [each.bytes for each in self.channels.values()]
        return None if None in sizes else sum(size for size in sizes if size)

    def cost(self, rung: Rung) -> Cost | None:
        """What the job costs if it takes all its time; None: no price is known."""
        return self._cost(rung, rung.price, spot=self.spot)

    def cost_at_most(self, rung: Rung) -> Cost | None:
        """The same without Spot, and by the dearest price that the region may have: no job costs more."""
        return self._cost(rung, rung.price and rung.price.bound_in(self.region), spot=False)

    def _cost(self, rung: Rung, price: Price | None, *, spot: bool) -> Cost | None:
        seconds = rung.max_run_s + BILLED_AROUND_S + self.keep_alive_s
        return cost_of(price, seconds, self.count, spot=spot) if price else None


def plan_cloud_run(settings: Settings, facts: CloudFacts) -> CloudPlan:
    """Check everything that can be known and decide the rest. Raises UserError."""
    wanted = settings.cloud
    if wanted is None:
        raise ValueError("these settings are for a job on this machine")
    checkpoints = _checkpoints(settings, wanted, facts)
    check_time(wanted)
    check_network(wanted)
    check_encryption(wanted)
    check_role(facts.role)
    check_earlier(settings, facts.region, facts.jobs)
    environment = job_environment(settings)
    hyperparameters = {"config": facts.recipe.name, RUN_HYPERPARAMETER: settings.run} | dict(settings.hyperparameters)
    hyperparameters |= dict(settings.overrides)
    parameters = parse_hyperparameters(hyperparameters)
    recipe = None
    if facts.recipe.content is not None:
        recipe = apply_parameters(facts.recipe.content, parameters, facts.recipe.where)  # refuses what will not do
    check_apart(facts.layout, checkpoints, {name: each.uri for name, each in facts.channels.items()})
    earlier = facts.jobs or ()
    rungs = tuple(_rung(instance, wanted, facts, recipe, parameters) for instance in wanted.instances)
    plan = CloudPlan(
        run=settings.run,
        job=job_name(settings.run, len(earlier) + 1, earlier[-1].name if earlier else ""),
        region=facts.region,
        role=facts.role,
        layout=facts.layout,
        rungs=rungs,
        count=wanted.instance_count,
        spot=wanted.spot,
        keep_alive_s=wanted.keep_alive_s,
        channels=facts.channels,
        hyperparameters=hyperparameters,
        environment=environment,
        tags=job_tags(settings.run, dict(wanted.tags)),
        checkpoints=checkpoints,
        subnets=wanted.subnets,
        security_groups=wanted.security_groups,
        kms_key=wanted.kms_key,
        network_isolation=wanted.network_isolation,
        start="new",
        finished=None,
        notes=(),
        obstacles=(*facts.obstacles, *_obstacles(settings, wanted, facts)),
    )
    plan = _continue_or_not(plan, settings, facts)
    return replace(plan, notes=(*facts.notes, *_notes(plan, wanted, parameters.save_minutes)))


def _checkpoints(settings: Settings, wanted: CloudSettings, facts: CloudFacts) -> S3Uri | None:
    """The folder that the job continues from: the one named, else that of the run's newest job, else the run's own."""
    if not wanted.keeps_checkpoints:
        if wanted.spot:
            raise UserError(
                "Spot without checkpoints starts over after each interruption and may never finish: "
                "leave --checkpoint-uri none out, or give --no-spot"
            )
        return None
    earlier = [_folder_of(job.checkpoint_uri) for job in facts.jobs or () if job.checkpoint_uri]
    if settings.fresh:
        if wanted.checkpoints in earlier:
            raise UserError(
                f"--fresh would continue from the checkpoints in {wanted.checkpoints}: "
                "name an empty --checkpoint-uri, or leave one of the two out"
            )
        return wanted.checkpoints or facts.layout.fresh_checkpoints(facts.now)
    return wanted.checkpoints or (earlier[-1] if earlier else facts.layout.checkpoints)


def _folder_of(uri: str) -> S3Uri:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return S3Uri(bucket, key).folder()


def _rung(
    instance: str, wanted: CloudSettings, facts: CloudFacts, recipe: OpenRecipe | None, parameters: Hyperparameters
) -> Rung:
    known = instance_facts(instance)
    max_run_s = _affordable(instance, wanted, facts.prices.get(instance), facts.region)
    max_wait_s = None
    if wanted.spot:
        max_wait_s = min(wanted.max_wait_s or max_run_s + SLACK_S, LONGEST_WAIT_S)
    image = facts.images.get(instance, "")
    check_image(image, facts.region)
    return Rung(
        instance=instance,
        image=image,
        max_run_s=max_run_s,
        max_wait_s=max_wait_s,
        volume_gb=_volume_gb(wanted, known, facts),
        volume_key=_volume_key(instance, wanted, facts),
        price=facts.prices.get(instance),
        expected=expect(known, wanted.instance_count, recipe, parameters, facts.data) if recipe else None,
    )


def _volume_key(instance: str, wanted: CloudSettings, facts: CloudFacts) -> str:
    """The key of the volume. SageMaker refuses one where the disk is the machine's own, which its hardware encrypts."""
    if not wanted.kms_key or has_own_disk(instance):
        return ""
    if not instance_facts(instance).known:
        raise UserError(
            f"--kms-key: whether {instance} has a volume that takes a key is not in this version's table: name another "
            "--instance, or leave --kms-key out"
        )
    return facts.volume_key or wanted.kms_key


def _affordable(instance: str, wanted: CloudSettings, price: Price | None, region: str) -> int:
    """--max-run, shortened by --max-cost. At the price on demand: Spot costs less, but nobody knows how much."""
    if wanted.max_cost is None:
        return wanted.max_run_s
    if price is None:
        raise UserError(f"--max-cost: no price is known for {instance}: give --max-run instead")
    if price.currency != "USD":
        raise UserError(f"--max-cost is in US dollars and the price of {instance} in {price.currency}: give --max-run")
    bound = price.bound_in(region)
    seconds = seconds_for(bound, wanted.max_cost, wanted.instance_count) - BILLED_AROUND_S - wanted.keep_alive_s
    if seconds < SHORTEST_RUN_S:
        raise UserError(
            f"--max-cost {money(wanted.max_cost)} buys no training on {wanted.instance_count} × {instance} at {price}: "
            f"give at least {money(_least(bound, wanted))}, or a smaller instance"
        )
    return min(wanted.max_run_s, seconds)


def _least(price: Price, wanted: CloudSettings) -> float:
    """The smallest sensible --max-cost, rounded up to cents."""
    seconds = SHORTEST_RUN_S + BILLED_AROUND_S + wanted.keep_alive_s
    return -(-cost_of(price, seconds + 1, wanted.instance_count).high * 100 // 1) / 100


def _volume_gb(wanted: CloudSettings, known: InstanceFacts, facts: CloudFacts) -> int:
    """SageMaker ignores it where the disk is the machine's own."""
    if wanted.volume_gb:
        return wanted.volume_gb
    if known.has_fixed_disk:
        return DEFAULT_VOLUME_GB
    data = sum(each.bytes or 0 for each in facts.channels.values())
    return DEFAULT_VOLUME_GB + -(-data * ROOM_FOR_DATA // 10**9)


def _obstacles(settings: Settings, wanted: CloudSettings, facts: CloudFacts) -> list[str]:
    found = []
    if not facts.role and not (wanted.role and facts.jobs is None):  # a name becomes an ARN where AWS can be asked
        found.append(
            f"there is no execution role: run `{setup_command(given_to(settings))}`, which makes one, or name one with "
            "--role, OCR_ROLE or `role:` in launcher.yml"
        )
    for instance in wanted.instances:
        if instance not in facts.images:
            found.append(facts.unpushed[instance])
            break
    processes = int(dict(settings.hyperparameters).get("processes", 0))
    for instance in wanted.instances:
        gpus = instance_facts(instance).gpus
        if gpus and processes > gpus:
            found.append(
                f"--processes {processes}: {instance} has {counted(gpus, 'GPU')}: give {gpus} or less, or leave it out"
            )
            break
    return found


def _continue_or_not(plan: CloudPlan, settings: Settings, facts: CloudFacts) -> CloudPlan:
    """What the run's jobs so far mean for this one."""
    if not facts.jobs:
        if facts.found_step is None or settings.fresh:
            return plan
        return replace(plan, start=f"new to SageMaker, continues from step {facts.found_step} in {plan.checkpoints}")
    newest = current_job(facts.jobs)
    if settings.fresh:
        return replace(plan, start="starts over; the earlier checkpoints stay in " + (newest.checkpoint_uri or "S3"))
    if not newest.is_over:
        return replace(plan, start=f"{newest.name} of this run is running: it will be followed, nothing is submitted")
    channels = {name: str(each.uri) for name, each in plan.channels.items()}
    changed = (
        *changes(dict(newest.hyperparameters), plan.hyperparameters),
        *changes(dict(newest.channels), channels),
    )
    if newest.status == COMPLETED and not changed:
        return replace(plan, start=f"finished: {newest.name} has trained exactly this", finished=newest)
    return replace(plan, start=f"continues after {newest.name} ({'; '.join((newest.status, *changed))})")


def _notes(plan: CloudPlan, wanted: CloudSettings, save_minutes: float) -> list[str]:
    notes = []
    for rung in plan.rungs:
        known = instance_facts(rung.instance)
        if not known.known:
            notes.append(
                f"{rung.instance} is not in this version's table of instances: GPU, disk and image are not checked"
            )
        elif known.gpus == 0:
            notes.append(f"{rung.instance} has no GPU: good for trying things out, slow for training")
        if rung.expected:
            notes += [f"{rung.instance}: {doubt}" for doubt in rung.expected.doubts]
        if known.has_fixed_disk and wanted.volume_gb:
            notes.append(f"--volume-size does nothing on {rung.instance}: its disk has {known.nvme_gb:,} GB")
        if wanted.max_cost is not None and rung.max_run_s < wanted.max_run_s:
            notes.append(
                f"--max-cost {money(wanted.max_cost)} ends the job on {rung.instance} after {hours(rung.max_run_s)}"
            )
    elsewhere = {price.region for rung in plan.rungs if (price := rung.price) and price.region != plan.region}
    notes += [f"what no job costs more than is reckoned with twice the price of {region}" for region in elsewhere]
    if wanted.max_wait_s and not wanted.spot:
        notes.append("--max-wait does nothing without --spot")
    if plan.spot and save_minutes > FEW_SAVES_MINUTES:
        notes.append(f"each interruption repeats up to {save_minutes:g} minutes: give a smaller --save-minutes")
    if plan.layout.root.bucket.count("."):
        notes.append(f"the name of the bucket {plan.layout.root.bucket} has dots: some tools refuse its certificate")
    return notes
