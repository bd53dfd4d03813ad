"""The flags of every verb in tables; parsers, launcher.yml, the environment and docs/cli.md all come from them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from contract.hyperparameters import TABLE as HYPERPARAMETERS

CONFIG_FILE = "launcher.yml"
DEFAULT_RECIPE = "rec/rec_mv3_none_bilstm_ctc.yml"


@dataclass(frozen=True)
class Flag:
    """One row: a flag, its key in launcher.yml, and its variable in the environment."""

    key: str  # as in the settings of its verb and in launcher.yml
    group: str
    help: str
    metavar: str = ""  # empty: a switch, which takes no value
    names: tuple[str, ...] = ()  # when it is not simply --key in kebab case
    many: bool = False  # may be given more than once
    default: str | None = None  # the built-in value
    saved: bool = True  # may also come from launcher.yml and the environment
    optional_value: bool = False  # the name alone means true

    @property
    def flags(self) -> tuple[str, ...]:
        return self.names or ("--" + self.key.replace("_", "-"),)

    @property
    def variable(self) -> str | None:
        """The environment variable that sets it; lists have none."""
        return f"OCR_{self.key.upper()}" if self.saved and not self.many else None


@dataclass(frozen=True)
class Verb:
    """One command: what it is for and its table of flags."""

    name: str
    summary: str  # for the list of verbs
    usage: str  # what follows the program's name
    description: str
    exit_codes: tuple[tuple[int, str], ...]
    flags: tuple[Flag, ...]

    @property
    def program(self) -> str:
        return f"python -m launcher.{self.name}"

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(flag.group for flag in self.flags))

    @property
    def by_key(self) -> dict[str, Flag]:
        return {flag.key: flag for flag in self.flags}


JOB, RUN, REHEARSAL, IMAGE, SOURCES, REGISTRY, CALL, TUNING = (
    "what to train, and where",
    "the run",
    "rehearsing a Spot interruption",
    "what is built",
    "where it comes from",
    "where it goes",
    "this call",
    "hyperparameters (default: the recipe or the data decides)",
)

CONFIG_FILE_FLAG = Flag(
    "config_file",
    CALL,
    "settings file; its keys are the flags of all verbs with _ for -",
    "FILE",
    default=CONFIG_FILE,
    saved=False,
)
DEBUG = Flag("debug", CALL, "show tracebacks", saved=False)

SUBMIT_FLAGS = (
    Flag(
        "instance",
        JOB,
        "where the job runs: `local` and `local_gpu` are this machine with Docker, as SageMaker's local mode runs it; "
        "`process` is this machine (Linux or macOS) without Docker",
        "TYPE",
        names=("--instance", "--instance-type"),
    ),
    Flag("dataset", JOB, "the dataset: train.txt, val.txt, dict.txt and the images", "FOLDER"),
    Flag("validation", JOB, "the channel `validation`: a dataset whose val.txt, or else train.txt, is used", "FOLDER"),
    Flag("pretrained", JOB, "the channel `pretrained`: a folder with the one .pdparams to start from", "FOLDER"),
    Flag(
        "config",
        JOB,
        "recipe: a name under configs/, a file in the dataset, or a path to a YAML file",
        "RECIPE",
        default=DEFAULT_RECIPE,
    ),
    Flag(
        "override",
        JOB,
        "set one dotted key of the recipe, such as Optimizer.lr.name=Cosine",
        "KEY=VALUE",
        names=("-o", "--override"),
        many=True,
    ),
    Flag("image_uri", JOB, "image of the job (default: the newest one built here from these sources)", "IMAGE"),
    Flag("env", JOB, "an environment variable of the job", "KEY=VALUE", many=True),
    Flag(
        "run",
        RUN,
        "name of the run; a run that exists is resumed (default: recipe, date, four letters)",
        "RUN",
        names=("--run", "--run-id"),
    ),
    Flag("resume", RUN, "like --run, but the run must exist", "RUN", saved=False),
    Flag(
        "fresh",
        RUN,
        "start the run over; what it has so far is moved aside to RUN.old-1, nothing is deleted",
        saved=False,
    ),
    Flag("output", RUN, "folder of all runs", "FOLDER", default="output"),
    Flag("checkpoint_uri", RUN, "keep the checkpoints in this folder (default: OUTPUT/RUN/checkpoints)", "FOLDER"),
    Flag(
        "interrupt_after",
        REHEARSAL,
        "interrupt as Spot does, 20s after the start or at step 120 (120steps), then "
        "start again; give it once per interruption",
        "WHEN",
        many=True,
    ),
    Flag("grace", REHEARSAL, "time between SIGTERM and SIGKILL", "DURATION", default="120s"),
    Flag("dry_run", CALL, "print plan and request; write nothing, start nothing", saved=False),
    Flag("yes", CALL, "do not ask (jobs on this machine never do)", names=("--yes", "-y"), saved=False),
    CONFIG_FILE_FLAG,
    Flag("show_config", CALL, "print every setting and where it comes from", saved=False),
    Flag("json", CALL, "print one JSON object on stdout: run.json and where the artifacts are", saved=False),
    DEBUG,
    *(
        Flag(
            row.name,
            TUNING,
            row.help,
            row.type.__name__.upper().replace("STR", "NAME"),
            names=(row.flag,),
            optional_value=row.type is bool,
        )
        for row in HYPERPARAMETERS
        if row.name not in ("config", "run_id")
    ),
)

BUILD_FLAGS = (
    Flag(
        "device",
        IMAGE,
        "what the image trains on: `cpu` for rehearsals on this machine, `gpu` for SageMaker's GPU instances",
        "DEVICE",
        default="cpu",
    ),
    Flag("cuda", IMAGE, "CUDA line of a gpu image: cu126, or cu118 for V100 (ml.p3)", "CUDA", default="cu126"),
    Flag(
        "tree",
        IMAGE,
        "PaddleOCR's code: `git` is the complete release, `pypi` its source distribution "
        "(default: pypi in a cpu image, git in a gpu image)",
        "TREE",
    ),
    Flag("base_image", IMAGE, "image that ours begins with: Debian 12", "IMAGE", default="debian:bookworm-slim"),
    Flag(
        "index_url",
        SOURCES,
        "index that pip installs from (default: the one pip is set up with here); with a password in it, give it as "
        "variable or in launcher.yml, because others on this machine can see flags",
        "URL",
    ),
    Flag(
        "ca_bundle",
        SOURCES,
        "certificates to trust while building, for a proxy that re-signs "
        "(default: the file in PIP_CERT, REQUESTS_CA_BUNDLE or SSL_CERT_FILE)",
        "FILE",
    ),
    Flag("debian_mirror", SOURCES, "mirror of Debian packages (default: the one the base image names)", "URL"),
    Flag("paddle_index", SOURCES, "index of paddlepaddle-gpu, one folder per CUDA line (default: Paddle's own)", "URL"),
    Flag("cuda_repository", SOURCES, "archive of NVIDIA's Debian packages, for cuda-compat (default: NVIDIA's)", "URL"),
    Flag(
        "tree_url",
        SOURCES,
        "git repository that tree git comes from",
        "URL",
        default="https://github.com/PaddlePaddle/PaddleOCR.git",
    ),
    Flag(
        "network", SOURCES, "network while building: host, default (the engine's bridge), none", "NAME", default="host"
    ),
    CONFIG_FILE_FLAG,
    Flag("json", CALL, "print one JSON object on stdout: the image's name, ID, size, layers and labels", saved=False),
    DEBUG,
)

PUSH_FLAGS = (
    *(replace(flag, default="gpu") if flag.key == "device" else flag for flag in BUILD_FLAGS if flag.group != CALL),
    Flag("repository", REGISTRY, "repository in ECR; made when it is not there", "NAME", default="paddleocr-sagemaker"),
    Flag("tag", REGISTRY, "tag in ECR (default: the one that says what went into the image)", "TAG", saved=False),
    Flag("region", REGISTRY, "AWS region (default: that of the profile or of AWS_REGION)", "REGION"),
    Flag(
        "profile", REGISTRY, "AWS profile (default: AWS's own rules)", "PROFILE", names=("--profile", "--aws-profile")
    ),
    CONFIG_FILE_FLAG,
    Flag(
        "json", CALL, "print one JSON object on stdout: the image's address by digest, and what was pushed", saved=False
    ),
    DEBUG,
)

SUBMIT = Verb(
    "submit",
    "train a model; starting the same run again resumes it",
    "--instance TYPE --dataset FOLDER [options]",
    "Train a PaddleOCR text recognition model. Starting the same run again resumes it.",
    (
        (0, "done: a verified model is in `OUTPUT/RUN/model/` and `model.tar.gz`"),
        (1, "bad configuration, or refused before training; nothing new is left behind"),
        (2, "the job failed or was stopped; the same run continues when it is started again"),
        (130, "Ctrl-C: the job has saved a checkpoint if the grace allowed"),
    ),
    SUBMIT_FLAGS,
)
BUILD = Verb(
    "build",
    "build the image on this machine, unless nothing of it has changed",
    "[options]",
    "Build the image on this machine with Docker's BuildKit. Its tag says what went in, so the same sources are built "
    "once.",
    (
        (0, "the image is there, built now or earlier"),
        (1, "bad configuration, or refused before the build"),
        (2, "the build failed; the message names the log"),
        (130, "Ctrl-C: the build has ended, what it had finished stays in Docker's cache"),
    ),
    BUILD_FLAGS,
)
PUSH = Verb(
    "push",
    "build the image if needed and push it to ECR, for jobs on SageMaker",
    "[options]",
    "Build the image unless it is there, push it to ECR and keep its digest, so that jobs use exactly this image.",
    (
        (0, "the image is in ECR, pushed now or earlier"),
        (1, "bad configuration, refused, or not taken by the registry; starting again sends only what is missing"),
        (2, "the build failed; the message names the log"),
        (130, "Ctrl-C: layers that arrived stay in ECR"),
    ),
    PUSH_FLAGS,
)
VERBS = {verb.name: verb for verb in (SUBMIT, BUILD, PUSH)}
# Every key of launcher.yml: all verbs read the same file. A key means the same in each.
KEYS = {flag.key: flag for verb in VERBS.values() for flag in verb.flags}
