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
    off: str = ""  # the name that switches it off, such as --no-spot
    positional: bool = False  # a word without a name, which must be given

    @property
    def flags(self) -> tuple[str, ...]:
        if self.positional:
            return (self.metavar,)
        names = self.names or ("--" + self.key.replace("_", "-"),)
        return (*names, self.off) if self.off else names

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


JOB, RUN, CLOUD, ACCOUNT, REHEARSAL, IMAGE, SOURCES, REGISTRY, JOB_OF_A_RUN, PRINTED, CALL, TUNING = (
    "what to train, and where",
    "the run",
    "jobs on SageMaker (--instance ml.…)",
    "the AWS account",
    "rehearsing a Spot interruption",
    "what is built",
    "where it comes from",
    "where it goes",
    "which job",
    "what is printed",
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
REGION = Flag("region", ACCOUNT, "AWS region (default: that of AWS_REGION or of the profile)", "REGION")
PROFILE = Flag(
    "profile", ACCOUNT, "AWS profile (default: AWS's own rules)", "PROFILE", names=("--profile", "--aws-profile")
)

SUBMIT_FLAGS = (
    Flag(
        "instance",
        JOB,
        "where the job runs: `ml.g4dn.xlarge` or any other ml type is SageMaker, and several with commas are tried in "
        "turn where one has no capacity or quota; `local` and `local_gpu` are this machine with Docker, as SageMaker's "
        "local mode runs it; `process` is this machine (Linux or macOS) without Docker",
        "TYPE",
        names=("--instance", "--instance-type"),
    ),
    Flag(
        "instance_count",
        JOB,
        "machines that train together, with ml types; with `process` so many containers on this machine",
        "NUMBER",
        default="1",
    ),
    Flag("dataset", JOB, "the dataset: train.txt, val.txt, dict.txt and the images; for ml types also s3://", "FOLDER"),
    Flag("validation", JOB, "the channel `validation`: a dataset whose val.txt, or else train.txt, is used", "FOLDER"),
    Flag(
        "pretrained",
        JOB,
        "the channel `pretrained`: a folder with the one .pdparams to start from, best with its dict.txt",
        "FOLDER",
    ),
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
    Flag(
        "image_uri",
        JOB,
        "image of the job (default: the newest one built here from these sources; on SageMaker the one that `push` "
        "sent)",
        "IMAGE",
    ),
    Flag("env", JOB, "an environment variable of the job; no secrets: SageMaker shows them", "KEY=VALUE", many=True),
    Flag(
        "run",
        RUN,
        "name of the run; a run that exists is resumed (default: recipe, date, four letters)",
        "RUN",
        names=("--run", "--run-id"),
    ),
    Flag(
        "resume",
        RUN,
        "like --run, but the run must exist; on SageMaker (without --instance too) its newest job says what flags, "
        "environment and launcher.yml do not",
        "RUN",
        saved=False,
    ),
    Flag(
        "fresh",
        RUN,
        "start the run over; what it has so far is moved aside to RUN.old-1, and on SageMaker stays where it is: "
        "nothing is deleted",
        saved=False,
    ),
    Flag(
        "from_job",
        RUN,
        "repeat a job that this launcher started on SageMaker, as a new run: same data, image and settings, except for "
        "the flags given here",
        "JOB",
        saved=False,
    ),
    Flag(
        "output",
        RUN,
        "folder of all runs; s3:// (ml types) takes the place of s3://BUCKET/PREFIX/runs/",
        "FOLDER",
        default="output",
    ),
    Flag(
        "checkpoint_uri",
        RUN,
        "keep the checkpoints in this folder (default: OUTPUT/RUN/checkpoints); for ml types s3://, or `none`",
        "FOLDER",
    ),
    Flag(
        "spot",
        CLOUD,
        "Spot capacity: cheaper, may be interrupted, then continues from its checkpoints",
        off="--no-spot",
    ),
    # A day is what SageMaker takes when nothing is said; said here, it is seen, and it bounds the bill.
    Flag("max_run", CLOUD, "the job is stopped after this time, with its best model so far", "DURATION", default="1d"),
    Flag(
        "max_wait", CLOUD, "Spot: training and waiting for capacity together (default: --max-run and a day)", "DURATION"
    ),
    Flag("max_cost", CLOUD, "shorten --max-run so that one job stays below this price at on-demand rates", "USD"),
    Flag("keep_alive", CLOUD, "keep the machine warm after the job, at most 6h, billed", "DURATION"),
    Flag("volume_size", CLOUD, "disk in GB, for types without NVMe (default: from the data, at least 30)", "GB"),
    Flag(
        "no_wait",
        CLOUD,
        "return when the job is submitted (default: follow it)",
        names=("--no-wait", "--detach"),
        saved=False,
    ),
    Flag("bucket", ACCOUNT, "S3 bucket for data, checkpoints and models, in the region of the job", "BUCKET"),
    Flag("prefix", ACCOUNT, "folder in the bucket; `/` is the bucket itself", "PREFIX", default="ocr"),
    Flag(
        "role",
        ACCOUNT,
        "execution role of the job, by name or ARN (default: SAGEMAKER_ROLE, or that of a SageMaker notebook)",
        "ROLE",
    ),
    REGION,
    PROFILE,
    Flag("subnets", ACCOUNT, "subnets of the job, with commas", "SUBNET", many=True),
    Flag("security_groups", ACCOUNT, "security groups of the job, with commas", "GROUP", many=True),
    Flag("kms_key", ACCOUNT, "KMS key for the model and, on types without NVMe, the disk", "KEY"),
    Flag("network_isolation", ACCOUNT, "the job has no network at all", off="--no-network-isolation"),
    Flag("tags", ACCOUNT, "a tag of the job", "KEY=VALUE", many=True),
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
    Flag(
        "yes",
        CALL,
        "do not ask before a job that costs money (only asked on a terminal, and never for jobs on this machine)",
        names=("--yes", "-y"),
        saved=False,
    ),
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
    replace(REGION, group=REGISTRY),
    replace(PROFILE, group=REGISTRY),
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
    "Train a PaddleOCR text recognition model, on this machine or on Amazon SageMaker. Starting the same run again "
    "resumes it.",
    (
        (0, "done: a verified model is in `OUTPUT/RUN/model/` and `model.tar.gz`; with --no-wait the job is submitted"),
        (1, "bad configuration, or refused before training; nothing new is left behind"),
        (2, "the job failed or was stopped; the same run continues when it is started again"),
        (130, "Ctrl-C: the job has saved a checkpoint if the grace allowed; a job on SageMaker goes on"),
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
NAMED = Flag(
    "named",
    JOB_OF_A_RUN,
    "a run (its newest job is meant), or a job by its name or ARN",
    "RUN",
    saved=False,
    positional=True,
)
_FOLLOWING = (REGION, PROFILE, CONFIG_FILE_FLAG)
_OBJECT = Flag("json", CALL, "print one JSON object on stdout", saved=False)
_REFUSED = (1, "bad configuration, there is no such run, or AWS cannot be asked")
_NOT_PRINTED = (2, "stdout cannot be written, as on a full disk")

WATCH = Verb(
    "watch",
    "follow a job on SageMaker: phase, steps, scores, money",
    "RUN [options]",
    "Follow a job on SageMaker until it is over. Ctrl-C leaves it running; the same command goes on watching.",
    (
        (0, "the job has completed"),
        _REFUSED,
        (2, "the job failed or was stopped"),
        (130, "Ctrl-C: the job goes on"),
    ),
    (NAMED, *_FOLLOWING, replace(_OBJECT, help="print one JSON object on stdout when the job is over"), DEBUG),
)
LOGS = Verb(
    "logs",
    "print what a job on SageMaker has printed",
    "RUN [options]",
    "Print the log of a job on SageMaker on stdout, restarts included.",
    (
        (0, "everything is printed; with --follow: the job has completed"),
        _REFUSED,
        (2, "with --follow: the job failed or was stopped"),
        (130, "Ctrl-C: the job goes on"),
    ),
    (
        NAMED,
        Flag("follow", PRINTED, "go on until the job is over", names=("--follow", "-f"), saved=False),
        Flag("raw", PRINTED, "the lines alone, without time and stream", saved=False),
        Flag("all_jobs", PRINTED, "all jobs of the run, not only the newest", saved=False),
        *_FOLLOWING,
        Flag("json", CALL, "print each line as a JSON object: time, stream, text", saved=False),
        DEBUG,
    ),
)
STATUS = Verb(
    "status",
    "say where a job on SageMaker stands",
    "RUN [options]",
    "Say where the newest job of a run stands: phase, steps, scores, money.",
    (
        (0, "the job is under way, or has completed"),
        _REFUSED,
        (2, "the job failed or was stopped"),
        (130, "Ctrl-C"),
    ),
    (NAMED, *_FOLLOWING, _OBJECT, DEBUG),
)
STOP = Verb(
    "stop",
    "stop a job on SageMaker, with its checkpoint",
    "RUN [options]",
    "Stop a job on SageMaker. It has 120 s to save; what it has learnt is kept, and `submit --resume RUN` goes on.",
    (
        (0, "the job is over; with --no-wait: it has been asked to stop"),
        _REFUSED,
        (2, "the job failed while it stopped"),
        (130, "Ctrl-C: the job stops all the same"),
    ),
    (
        NAMED,
        Flag(
            "no_wait",
            CALL,
            "ask it to stop, and return (default: wait until it has)",
            names=("--no-wait", "--detach"),
            saved=False,
        ),
        *_FOLLOWING,
        _OBJECT,
        DEBUG,
    ),
)
LIST = Verb(
    "list",
    "list the runs of this project on SageMaker",
    "[options]",
    "List the newest runs that this launcher has started in this account and region.",
    ((0, "listed; there may be none"), (1, "bad configuration, or AWS cannot be asked"), _NOT_PRINTED, (130, "Ctrl-C")),
    (
        Flag("limit", PRINTED, "how many runs", "NUMBER", default="20", saved=False),
        Flag("contains", PRINTED, "only jobs with this in their name", "TEXT", saved=False),
        *_FOLLOWING,
        replace(_OBJECT, help="print a JSON list on stdout"),
        DEBUG,
    ),
)
DOWNLOAD = Verb(
    "download",
    "bring the best model of a run home, verified",
    "RUN [options]",
    "Bring the best model of a run home: the artifact of its newest job that has one. Starting again goes on where a "
    "download was cut.",
    (
        (0, "a complete model is in `OUTPUT/RUN/model/` and `model.tar.gz`, from now or earlier"),
        (1, "bad configuration, or the run has no model yet"),
        (2, "what came is not a complete model, or the disk refuses it"),
        (130, "Ctrl-C: what has come stays"),
    ),
    (
        NAMED,
        Flag("output", RUN, "folder of all runs", "FOLDER", default="output"),
        *_FOLLOWING,
        replace(_OBJECT, help="print one JSON object on stdout: run.json and where the artifacts are"),
        DEBUG,
    ),
)
METRICS = Verb(
    "metrics",
    "the curve of a run, from its logs alone",
    "RUN [options]",
    "The curve of a run, all its jobs and restarts joined, every step once: as CSV on stdout or in a file, and as a "
    "picture.",
    ((0, "printed or written"), _REFUSED, (2, "a file cannot be written"), (130, "Ctrl-C")),
    (
        NAMED,
        Flag("csv", PRINTED, "write the table here (default: stdout)", "FILE", saved=False),
        Flag("plot", PRINTED, "draw loss, accuracy and CER here, as PNG", "FILE", saved=False),
        *_FOLLOWING,
        replace(_OBJECT, help="print one JSON object on stdout: rows, best, resumed"),
        DEBUG,
    ),
)
COMPARE = Verb(
    "compare",
    "compare runs: what was set differently, scores, cost",
    "RUN RUN… [options]",
    "Compare runs: scores, time, cost, and the settings in which they differ.",
    ((0, "printed"), _REFUSED, _NOT_PRINTED, (130, "Ctrl-C")),
    (
        replace(NAMED, many=True, help="the runs, or jobs by their name or ARN"),
        *_FOLLOWING,
        replace(_OBJECT, help="print one JSON object on stdout: runs, differences"),
        DEBUG,
    ),
)
REPORT = Verb(
    "report",
    "make a page about a run, with pictures, to look at",
    "RUN [options]",
    "Make one HTML page about a run: curves, where the model reads wrong, the worst crops, the recipe, what it cost. "
    "RUN is a run of this machine, one that `download` has brought home, one on SageMaker, or the folder of a run or "
    "of a model. A run that failed or has not ended has its page too.",
    (
        (0, "the page is written"),
        (1, "bad configuration, there is no such run, or a file of it is damaged; no page is written"),
        (2, "the page cannot be written"),
        (130, "Ctrl-C: no page is written"),
    ),
    (
        replace(NAMED, help="a run, the folder of one or of a model, or a job on SageMaker by its name or ARN"),
        Flag(
            "page",
            PRINTED,
            "the page (default: OUTPUT/RUN/report.html); only a page is ever replaced",
            "FILE",
            names=("--output",),
            saved=False,
        ),
        replace(
            SUBMIT.by_key["dataset"],
            group=PRINTED,
            help="the dataset of the validation, whose pictures the page shows (default: the one that the run was "
            "trained on, where that was this machine)",
        ),
        Flag("open", PRINTED, "show the page in the browser", saved=False),
        *_FOLLOWING,
        replace(_OBJECT, help="print one JSON object on stdout: run, status, page"),
        DEBUG,
    ),
)

CHECKED, MADE, REMOVED = "what is checked", "what is made", "what is removed"
_CHECKED_KEYS = (
    *("instance", "instance_count", "spot", "max_run", "volume_size", "image_uri"),
    *("dataset", "config", "override", "max_text_length", "bucket", "prefix", "role", "region", "profile"),
)
DOCTOR = Verb(
    "doctor",
    "check everything a job on SageMaker needs, before it costs money",
    "[options]",
    "Check what a job on SageMaker needs: credentials, bucket, role, permissions, image, quota, dataset, disk, price. "
    "Works with nothing set up, says what to do first, and changes nothing.",
    (
        (0, "no problem was found; what could not be asked is said"),
        (1, "there are problems, each with what to do; or bad configuration"),
        (130, "Ctrl-C"),
    ),
    (
        *(
            replace(
                flag,
                group=CHECKED if flag.group in (JOB, CLOUD, TUNING) else flag.group,
                default="ml.g4dn.xlarge" if flag.key == "instance" else flag.default,
            )
            for flag in SUBMIT_FLAGS
            if flag.key in _CHECKED_KEYS
        ),
        CONFIG_FILE_FLAG,
        Flag("json", CALL, "print one JSON object on stdout: ok, next, checks", saved=False),
        DEBUG,
    ),
)
_PARTS = (
    Flag("bucket", ACCOUNT, "the bucket (default: paddleocr-sagemaker-ACCOUNT-REGION)", "BUCKET"),
    SUBMIT.by_key["prefix"],
    Flag("role", ACCOUNT, "the role (default: paddleocr-sagemaker-REGION)", "ROLE"),
    replace(PUSH.by_key["repository"], group=ACCOUNT, help="the repository in ECR"),
    REGION,
    PROFILE,
)
SETUP = Verb(
    "setup",
    "make what jobs need in an AWS account: bucket, execution role, repository",
    "[options]",
    "Make the bucket, the execution role and the ECR repository that jobs need, unless they are there. What is there "
    "and was not made by setup stays as it is.",
    (
        (0, "everything is there, made now or earlier"),
        (1, "bad configuration, or AWS does not allow it; what was made before that stays, starting again goes on"),
        (130, "Ctrl-C: starting again goes on"),
    ),
    (
        *_PARTS,
        Flag(
            "write",
            MADE,
            "note bucket, role and region in launcher.yml, and --prefix and --repository where they are given",
            saved=False,
        ),
        Flag("dry_run", CALL, "print what would be made; change nothing", saved=False),
        CONFIG_FILE_FLAG,
        Flag("json", CALL, "print one JSON object on stdout: bucket, role, repository, region, created", saved=False),
        DEBUG,
    ),
)
TEARDOWN = Verb(
    "teardown",
    "remove from an AWS account what setup made, and only that",
    "[options]",
    "List and remove the bucket, the role and the repository that setup made. Only what has its tag is touched.",
    (
        (0, "removed, or there was nothing of ours"),
        (1, "refused: bad configuration, data that was not to be deleted, a job under way; nothing was removed"),
        (2, "AWS refused in the middle; starting again goes on"),
        (130, "Ctrl-C: what is left stays; starting again goes on"),
    ),
    (
        *(flag for flag in _PARTS if flag.key != "prefix"),
        Flag(
            "delete_data",
            REMOVED,
            "delete a bucket with objects or a repository with images too, after its name is typed in",
            saved=False,
        ),
        Flag("dry_run", CALL, "list what would be removed; change nothing", saved=False),
        Flag(
            "yes",
            CALL,
            "do not ask (names of what holds data are asked for all the same)",
            names=("--yes", "-y"),
            saved=False,
        ),
        CONFIG_FILE_FLAG,
        Flag("json", CALL, "print one JSON object on stdout: removed, left", saved=False),
        DEBUG,
    ),
)
VERBS = {
    verb.name: verb
    for verb in (
        *(SUBMIT, BUILD, PUSH, WATCH, LOGS, STATUS, STOP, LIST, DOWNLOAD, REPORT, METRICS, COMPARE),
        *(DOCTOR, SETUP, TEARDOWN),
    )
}
# Every key of launcher.yml: all verbs read the same file. A key means the same in each.
KEYS = {flag.key: flag for verb in VERBS.values() for flag in verb.flags}
