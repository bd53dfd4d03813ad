"""The service as a test holds it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import boto3
import requests

from tests.service import pricing, quotas
from tests.service.call import Request
from tests.service.clock import Clock
from tests.service.front import Fault, Front
from tests.service.refusal import Refusal
from tests.service.scripted_run import ScriptedRun
from tests.service.timeline import PLAIN, Timeline
from tests.service.training_job import ACCOUNT, TrainingJob

REGION = "ap-southeast-1"
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # from AWS's documentation
OWN_KEY = "AKIAI44QH8DHBEXAMPLE"  # also from there: of the tests and the machines, whose calls nobody counts

FOREVER = float("inf")
POLL_S = 0.05


class Run(Protocol):
    """A job's script under way."""

    def catch_up(self, now: float) -> None:
        """Write what has happened until now into the record. Called with the lock held."""

    def stop(self, now: float) -> None:
        """StopTrainingJob. Called with the lock held."""

    def close(self) -> None:
        """Nothing of it is left running. Called without the lock."""


class Machines(Protocol):
    """A script that needs the service itself: tests.service.TrainingInstance."""

    def begin(self, job: TrainingJob, service: Service) -> Run: ...


Script = Timeline | Machines


@dataclass(frozen=True)
class Prepared:
    """What `prepare` has made."""

    bucket: str
    role: str  # ARN
    image: str  # URI with tag
    digest: str


class Service:
    """See tests/service/__init__.py."""

    def __init__(
        self,
        scripts: tuple[Script, ...],
        *,
        region: str,
        speed: float,
        seconds_per_describe: float,
        strict: bool,
        quotas_changed: Mapping[str, float],
        prices_changed: Mapping[tuple[str, str], float],
    ) -> None:
        self.region = region
        self.strict = strict
        self.seconds_per_describe = seconds_per_describe
        self.quotas = quotas.all_quotas() | dict(quotas_changed)
        self.prices = pricing.all_prices() | dict(prices_changed)
        self.clock = Clock(speed)
        self.lock = threading.RLock()
        self.recorded: list[Request] = []
        self.faults: list[Fault] = []
        self.hides_missing = False
        self.jobs: dict[tuple[str, str], TrainingJob] = {}  # by region and name
        self.all_jobs: list[TrainingJob] = []  # deleted ones too: their logs stay
        self.runs: dict[tuple[str, str], Run] = {}
        self._sessions: dict[str, Any] = {}
        self._making = threading.Lock()  # sessions are not made for threads
        self._scripts: list[Script] = list(scripts or (PLAIN,))
        self._front = Front(self, OWN_KEY)
        requests.post(f"{self.url}/moto-api/reset", timeout=10).raise_for_status()
        self.recorded.clear()

    def close(self) -> None:
        for run in self.runs.values():
            run.close()
        self._front.close()

    # ---- for clients

    @property
    def url(self) -> str:
        return self._front.url

    @property
    def environment(self) -> dict[str, str]:
        """With these variables boto3, the SDK and the AWS CLI take this service for AWS."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": "a-session-token",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, region: str = "", **options: Any) -> Any:
        """A boto3 client like those under test: recorded, and hit by faults."""
        return self._client(service, region, KEY, **options)

    def own_client(self, service: str, region: str = "", **options: Any) -> Any:
        """A boto3 client of the test itself: neither."""
        return self._client(service, region, OWN_KEY, **options)

    def _client(self, service: str, region: str, key: str, **options: Any) -> Any:
        session = self._sessions.setdefault(key, boto3.session.Session(key, SECRET))
        with self._making:
            return session.client(service, region or self.region, endpoint_url=self.url, **options)

    # ---- what will happen

    def plan(self, *scripts: Script) -> None:
        """The next jobs follow these scripts, in this order; the last one serves all that come after."""
        with self.lock:
            self._scripts = list(scripts)

    def fail(self, operation: str, refusal: Refusal, times: float = FOREVER, after: int = 0, key: str = "") -> None:
        """Refuse the next `times` calls of an operation ("*": of any), after sparing some; `key`: one client's only."""
        with self.lock:
            self.faults.append(Fault(operation, refusal, times, after, key=key))

    def lose_answer(self, operation: str, times: float = 1) -> None:
        """Carry calls out and break the connection instead of answering."""
        with self.lock:
            self.faults.append(Fault(operation, None, times, 0, loses_answer=True))

    def delay(self, operation: str, seconds: float, times: float = FOREVER, after: int = 0) -> None:
        """Let calls take so many more real seconds, all but the first `after`."""
        with self.lock:
            self.faults.append(Fault(operation, None, times, after, seconds))

    def heal(self) -> None:
        """No more faults: tokens are renewed, networks mended."""
        with self.lock:
            self.faults.clear()

    # ---- jobs

    def seed(self, name: str, script: Script | None = None, region: str = "", **request: Any) -> TrainingJob:
        """A job that nobody has sent; `request` overrides members of a plain CreateTrainingJob."""
        body = plain_request(name) | request
        with self.lock:
            return self.begin(body, region or self.region, script)

    def begin(self, body: dict[str, Any], region: str, script: Script | None = None) -> TrainingJob:
        """A job of this (checked) request starts to follow its script. Called with the lock held."""
        script = script or (self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0])
        job = TrainingJob(json.loads(json.dumps(body)), region, self.clock.now())
        self.jobs[region, job.name] = job
        self.all_jobs.append(job)
        run = ScriptedRun(script, job) if isinstance(script, Timeline) else script.begin(job, self)
        self.runs[region, job.name] = run
        self.catch_up()
        return job

    def catch_up(self) -> None:
        """Every record is as of now. Called with the lock held."""
        now = self.clock.now()
        for run in self.runs.values():
            run.catch_up(now)

    def job(self, name: str = "", region: str = "") -> TrainingJob:
        """The record of this job, as of now; without a name the newest."""
        with self.lock:
            self.catch_up()
            return self.jobs[region or self.region, name] if name else self.all_jobs[-1]

    def wait_for(self, name: str = "", timeout_s: float = 60.0) -> TrainingJob:
        """Until the job is over, in real time."""
        ends = time.monotonic() + timeout_s
        while not (job := self.job(name)).is_over:
            if time.monotonic() > ends:
                raise TimeoutError(f"{job.name} is {job.secondary} after {timeout_s:g} s:\n" + "\n".join(job.lines))
            time.sleep(POLL_S)
        return job

    def run_to_end(self, name: str = "") -> TrainingJob:
        """Move the clock to the end of a job's timeline."""
        job = self.job(name)
        run = self.runs[job.region, job.name]
        assert isinstance(run, ScriptedRun), "a job that really trains takes its time: wait_for"
        self.clock.advance(max(0.0, run.ends_at - self.clock.now()) + 0.001)
        return self.job(job.name, job.region)

    # ---- what happened

    def requests(self, *operations: str) -> list[Request]:
        """What the clients under test have sent, in order; all, or these operations only."""
        return [each for each in self.recorded if not operations or each.operation in operations]

    def writes(self) -> list[Request]:
        """Those that may have changed something."""
        return [each for each in self.recorded if each.may_write]

    # ---- an account

    def make_bucket(self, name: str, region: str = "") -> None:
        region = region or self.region
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.own_client("s3", region).create_bucket(Bucket=name, **place)

    def prepare(
        self, bucket: str = "ocr-data", role: str = "ocr-train-exec", repository: str = "ocr-train"
    ) -> Prepared:
        """A bucket, a role that SageMaker may assume and an image, as `strict` wants them."""
        self.make_bucket(bucket)
        trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        made = self.own_client("iam").create_role(
            RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
        ecr = self.own_client("ecr")
        uri = ecr.create_repository(repositoryName=repository)["repository"]["repositoryUri"]
        pushed = ecr.put_image(repositoryName=repository, imageManifest=json.dumps(_manifest()), imageTag="gpu")
        digest = pushed["image"]["imageId"]["imageDigest"]
        return Prepared(bucket, made["Role"]["Arn"], f"{uri}:gpu", digest)


@contextmanager
def scripted_service(
    *scripts: Script,
    region: str = REGION,
    speed: float = 1.0,
    seconds_per_describe: float = 0.0,
    strict: bool = False,
    quotas: Mapping[str, float] | None = None,
    prices: Mapping[tuple[str, str], float] | None = None,
) -> Iterator[Service]:
    """AWS on this machine until the end of the block: see tests/service/__init__.py."""
    service = Service(
        scripts,
        region=region,
        speed=speed,
        seconds_per_describe=seconds_per_describe,
        strict=strict,
        quotas_changed=quotas or {},
        prices_changed=prices or {},
    )
    try:
        yield service
    finally:
        service.close()


def plain_request(name: str) -> dict[str, Any]:
    """The smallest CreateTrainingJob that AWS takes."""
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ocr-train:gpu",
            "TrainingInputMode": "File",
        },
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/ocr-train-exec",
        "OutputDataConfig": {"S3OutputPath": "s3://ocr-data/ocr/runs/demo/output/"},
        "ResourceConfig": {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        "HyperParameters": {"run_id": "demo"},
    }


def _manifest() -> dict[str, Any]:
    """Of a single image; its layers are nowhere."""
    digests = ["sha256:" + hashlib.sha256(part.encode()).hexdigest() for part in ("config", "layer")]
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": 7023,
            "digest": digests[0],
        },
        "layers": [
            {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 32654, "digest": digests[1]}
        ],
    }
