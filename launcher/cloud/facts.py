"""What a plan for SageMaker takes from the world: data, recipe, image, role, prices, earlier jobs. Writes nothing."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from contract.errors import UserError
from contract.fitting import Figures, figures_of
from contract.hyperparameters import parse_hyperparameters
from contract.parameters import OpenRecipe, apply_parameters
from contract.paths import PRETRAINED_CHANNEL, TRAINING_CHANNEL, VALIDATION_CHANNEL
from contract.pretrained import files_beside
from contract.recipe import Recipe, load_recipe
from data_preparation.dataset_files import CHUNK, DatasetFiles, LocalDataset
from data_preparation.progress import progress
from data_preparation.s3_folder import is_missing
from launcher.aws import Account, explained
from launcher.cloud.call import given_to, setup_command, words_like
from launcher.cloud.checkpoints import newest_checkpoint
from launcher.cloud.inputs_in_s3 import size_in_s3
from launcher.cloud.instances import has_own_disk
from launcher.cloud.job import Job
from launcher.cloud.layout import RunLayout, S3Uri, parse_s3_uri, run_layout
from launcher.cloud.plan import CloudFacts, Input, RecipeChoice
from launcher.cloud.prices import price_of
from launcher.cloud.pushed import push_command, pushed_for, why_none
from launcher.cloud.role import resolve_role
from launcher.cloud.settings import S3, CloudSettings
from launcher.flags import PUSH
from launcher.images.image import ROOT
from launcher.inputs import NO_DATASET, RECIPE_CHANNEL, channels_here, choose_recipe, path_in_recipe_channel
from launcher.settings import Settings

RECIPE_BYTES = 1_000_000  # a recipe has some thousand


@dataclass(frozen=True)
class OneFile:
    """A recipe or weights of this machine, and where its content goes."""

    path: Path
    sha256: str
    folder: S3Uri
    beside: tuple[OneFile, ...] = ()  # what goes into the same folder: the dictionary of weights

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size + sum(each.bytes for each in self.beside)


@dataclass(frozen=True)
class Gathered:
    """The facts, and what of this machine is to be brought to S3, by channel."""

    facts: CloudFacts
    recipe: OpenRecipe | None  # with the settings of this call; None: it is in S3 and AWS could not be asked
    datasets: dict[str, LocalDataset]
    files: dict[str, OneFile]


def gather_facts(
    settings: Settings,
    account: Account | None,
    region: str,
    jobs: tuple[Job, ...] | None,
    obstacles: tuple[str, ...] = (),
    root: Path = ROOT,
) -> Gathered:
    """Look at everything that the plan depends on. Raises UserError.

    `account`: None when a dry run found no AWS to ask. `jobs`: those of the run, the oldest first. `root`: the folder
    of the Dockerfile, beside which pushed images are noted.
    """
    wanted = settings.cloud
    assert wanted is not None
    layout = layout_of(settings, wanted)
    choice, recipe_input, own_recipe = _recipe(settings, wanted, account, layout)
    recipe = as_asked(settings, choice)
    datasets = {name: _read_dataset(folder, recipe) for name, folder in _dataset_folders(settings)}
    files = {}
    if settings.pretrained:
        files[PRETRAINED_CHANNEL] = _weights(settings.pretrained, layout)
    if own_recipe:
        files[RECIPE_CHANNEL] = own_recipe
    channels: dict[str, Input] = {}
    for name, remote in ((TRAINING_CHANNEL, wanted.dataset), (VALIDATION_CHANNEL, wanted.validation)):
        if name in datasets:
            data = datasets[name]
            channels[name] = Input(layout.dataset(data.name, data.content_sha256), data.bytes, str(data.folder))
        elif remote:
            channels[name] = Input(remote, size_in_s3(account, name, remote) if account else None)
    if wanted.pretrained:
        size = size_in_s3(account, PRETRAINED_CHANNEL, wanted.pretrained) if account else None
        channels[PRETRAINED_CHANNEL] = Input(wanted.pretrained, size)
    for name, file in files.items():
        channels[name] = Input(file.folder, file.bytes, str(file.path))
    if recipe_input:
        channels[RECIPE_CHANNEL] = recipe_input
    images = _images(settings, wanted, root, region, account.id if account else "")
    notes = []
    if settings.must_exist and jobs and not images:
        images = dict.fromkeys(wanted.instances, jobs[-1].image)
        notes.append(f"the image is that of {jobs[-1].name}: none of these sources was pushed")
    facts = CloudFacts(
        now=datetime.now(timezone.utc),
        region=region,
        layout=layout,
        channels=channels,
        recipe=choice,
        data=_figures(datasets, recipe),
        role=resolve_role(account, wanted.role, setup_command(given_to(settings))),
        images=images,
        unpushed=_unpushed(settings, images, root, region),
        prices={name: price for name in wanted.instances if (price := price_of(account, name, region))},
        volume_key=_volume_key(account, wanted),
        jobs=jobs,
        found_step=_found_step(settings, wanted, account, layout) if jobs == () else None,
        notes=tuple(notes),
        obstacles=obstacles,
    )
    return Gathered(facts, recipe, datasets, files)


def _figures(datasets: Mapping[str, LocalDataset], recipe: OpenRecipe | None) -> Figures | None:
    """What the datasets of this machine bring to the job; None when the one that trains is in S3."""
    training = datasets.get(TRAINING_CHANNEL)
    if training is None or recipe is None:
        return None
    return figures_of(training.report, recipe.config)


def layout_of(settings: Settings, wanted: CloudSettings) -> RunLayout:
    """Where the run lives in S3. Raises UserError when nothing says so."""
    bucket = wanted.bucket or (wanted.runs.bucket if wanted.runs else "")
    if not bucket:
        raise UserError(
            f"there is no bucket: run `{setup_command(given_to(settings))}`, which makes one, or name one in the job's "
            "region with --bucket, OCR_BUCKET or `bucket:` in launcher.yml"
        )
    return run_layout(bucket, settings.run, wanted.prefix, wanted.runs)


def with_place(gathered: Gathered, channel: str, uri: str) -> Gathered:
    """The same once a dataset is in S3: where it lies is the uploader's word."""
    channels = dict(gathered.facts.channels)
    channels[channel] = replace(channels[channel], uri=parse_s3_uri(uri, "the uploaded dataset"))
    return replace(gathered, facts=replace(gathered.facts, channels=channels))


def _dataset_folders(settings: Settings) -> Iterator[tuple[str, Path]]:
    here = channels_here(settings)
    wanted = settings.cloud
    if TRAINING_CHANNEL not in here and not (wanted and wanted.dataset):
        raise UserError(NO_DATASET)
    for name in (TRAINING_CHANNEL, VALIDATION_CHANNEL):
        if name in here:
            yield name, here[name]


def _read_dataset(folder: Path, recipe: OpenRecipe | None) -> LocalDataset:
    """Check a dataset against the recipe and hash it, reading each image once. Raises UserError."""
    from data_preparation.validation import validate

    files = DatasetFiles(folder)
    with progress("checking") as advance:
        verdict = validate(folder, recipe, advance, files.add_image)
    if verdict.overrides and verdict.fits_with_overrides:
        flags = " ".join(f"-o {override}" for override in verdict.overrides)
        problem = verdict.report.problems[0]
        raise UserError(f"{folder}/{problem.where}: {problem.message}; with these flags the recipe takes it: {flags}")
    return files.dataset(verdict.report)


def _recipe(
    settings: Settings, wanted: CloudSettings, account: Account | None, layout: RunLayout
) -> tuple[RecipeChoice, Input | None, OneFile | None]:
    """The recipe; its folder in S3 when it lies in one of its own there; its file when it is to be sent."""
    if settings.config.startswith(S3):
        folder, _, file_name = settings.config.rpartition("/")
        uri = parse_s3_uri(folder, "--config")
        content = _fetch_recipe(account, uri, file_name)
        return RecipeChoice(path_in_recipe_channel(file_name), content, settings.config), Input(uri), None
    try:
        name, path = choose_recipe(settings, settings.dataset)
    except UserError:
        if not wanted.dataset or settings.config.startswith((".", "~", "/")):
            raise
        content = _fetch_recipe(account, wanted.dataset, settings.config)  # a recipe of the dataset
        return RecipeChoice(settings.config, content, str(wanted.dataset.file(settings.config))), None, None
    content = load_recipe(path)
    if name == str(path):  # it is in neither image nor dataset: it travels in a channel of its own
        return RecipeChoice(path_in_recipe_channel(path.name), content, str(path)), None, _one_file(path, layout)
    return RecipeChoice(name, content, str(path)), None, None


def as_asked(settings: Settings, choice: RecipeChoice) -> OpenRecipe | None:
    """The recipe with this call's settings: what the dataset is checked against. Raises UserError."""
    if choice.content is None:
        return None
    given = {"config": choice.name} | dict(settings.hyperparameters) | dict(settings.overrides)
    return apply_parameters(choice.content, parse_hyperparameters(given), choice.where)


def _fetch_recipe(account: Account | None, folder: S3Uri, name: str) -> Recipe | None:
    """A recipe that lies in S3; None when AWS cannot be asked. Raises UserError."""
    from botocore.exceptions import ClientError

    if account is None:
        return None
    client, uri = account.client("s3"), folder.file(name)
    with explained(f"reading the recipe {uri}"):
        try:
            answer = client.get_object(Bucket=uri.bucket, Key=uri.key)
            data = answer["Body"].read(RECIPE_BYTES)
        except ClientError as error:
            if not is_missing(error, client, uri.bucket, uri.key):
                raise
            raise UserError(f"there is no recipe {uri}: correct --config") from None
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, Path(name).name)
        path.write_bytes(data)
        try:
            return load_recipe(path)
        except UserError as error:
            raise UserError(str(error).replace(str(path), str(uri))) from None


def _volume_key(account: Account | None, wanted: CloudSettings) -> str:
    """The ARN behind an alias: S3 takes the alias, the volume of a job its key. Raises UserError."""
    if account is None or "alias/" not in wanted.kms_key or all(map(has_own_disk, wanted.instances)):
        return ""
    with explained(f"looking for the key {wanted.kms_key}"):
        return str(account.client("kms").describe_key(KeyId=wanted.kms_key)["KeyMetadata"]["Arn"])


def _weights(channel: Path, layout: RunLayout) -> OneFile:
    """The weights, with what lies beside them and says their dictionary: one folder for one content of all of it."""
    weights = _one_file(next(channel.rglob("*.pdparams")), layout)
    beside = {path.name: path for path in reversed(files_beside(weights.path, channel))}  # the first of a name stays
    if not beside:
        return weights
    parts = [_one_file(path, layout) for _, path in sorted(beside.items())]
    lines = [f"{part.sha256}  {part.path.name}\n" for part in (weights, *parts)]
    folder = layout.files(weights.path.name, hashlib.sha256("".join(lines).encode()).hexdigest())
    return replace(weights, folder=folder, beside=tuple(replace(part, folder=folder) for part in parts))


def _one_file(path: Path, layout: RunLayout) -> OneFile:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): make it readable") from None
    return OneFile(path, digest.hexdigest(), layout.files(path.name, digest.hexdigest()))


def _found_step(settings: Settings, wanted: CloudSettings, account: Account | None, layout: RunLayout) -> int | None:
    """The checkpoint that a run without jobs would begin with: its jobs are forgotten, or somebody put it there."""
    if account is None or settings.fresh or not wanted.keeps_checkpoints:
        return None
    try:
        return newest_checkpoint(account, wanted.checkpoints or layout.checkpoints)
    except UserError:
        return None  # a bucket that cannot be listed: the checks say more of it


def _images(settings: Settings, wanted: CloudSettings, root: Path, region: str, account: str) -> dict[str, str]:
    """The image of each instance: the one that is named, or the last one pushed of today's sources."""
    if settings.image_uri:
        return dict.fromkeys(wanted.instances, settings.image_uri)
    return {name: image for name in wanted.instances if (image := pushed_for(name, root, region, account))}


def _unpushed(settings: Settings, images: Mapping[str, str], root: Path, region: str) -> dict[str, str]:
    """What is missing, and the command that mends it, by instance."""
    words = words_like(PUSH, given_to(settings))
    remedy = "or name one with --image-uri"
    return {
        name: f"{why_none(name, root, region)}: run `{push_command(name, *words, root=root)}`, {remedy}"
        for name in (settings.cloud.instances if settings.cloud else ())
        if name not in images
    }
