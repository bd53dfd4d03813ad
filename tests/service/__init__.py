"""AWS on this machine, for tests: SageMaker and its surroundings over HTTP on loopback, driven by scripts.

    with scripted_service(timeline(pending(60), downloading(30), training(600, curve(1, 60)), completed())) as service:
        subprocess.run([...], env=os.environ | service.environment)      # boto3 and the SDK need nothing else
        service.clock.advance(300)                                       # five minutes later
        service.requests("CreateTrainingJob")[0].body                    # what was really sent

One address answers for every AWS service (service.environment sets AWS_ENDPOINT_URL, keys, region): SageMaker,
CloudWatch Logs, Service Quotas and Pricing are this package's; S3, STS, IAM, ECR and all others are moto's, whose
state is one per process and is emptied when a service begins. Requests are checked against botocore's service model
and refused as AWS does. With `strict=True` CreateTrainingJob also wants the role (in IAM, trusting SageMaker) and the
image (in ECR, same region): `service.prepare()` makes both, and a bucket; `service.make_bucket(name)` a bucket alone.

**What becomes of a job.** The n-th job created follows the n-th script given to `scripted_service` (or `service.plan`);
the last one serves all that follow; without any it is `PLAIN`. A script is a timeline (nothing runs) or a
`TrainingInstance` (our container really trains). `service.seed(name, script, **request)` puts a job there without a
client (`plain_request(name)` of tests/service/service.py is the smallest CreateTrainingJob). Timelines are made of
phases, in seconds of the service's clock:

    timeline(starting(5), pending(60), downloading(30),
             training(300, curve(1, 30, epoch_steps=10)),
             interrupted(120),                                            # a Spot machine is taken away
             starting(5), downloading(20), training(300, curve(26, 60, resumed=25)),  # a new log stream
             uploading(15), completed(), spot_saving=0.7, log_delay_s=5)
    ends: completed(), failed("AlgorithmError: …"), capacity_error(), max_wait_exceeded(), max_runtime_exceeded()

`training(seconds, lines)`: texts are spread evenly, `Line(after_s, text)` comes when it says. A timeline longer than
MaxRuntimeInSeconds or MaxWaitTimeInSeconds ends there, Stopped, as AWS ends it. StopTrainingJob is honoured: Stopping
for `stop_s`, with the lines `on_stop`, then Stopped. `phase("AnyStatus", seconds)` is for statuses of the future.

**Time.** `scripted_service(speed=1.0)`: how many seconds of the service pass in one real second; 0 stands still.
`service.clock.advance(s)`, `service.clock.now()` (seconds since 1970). `seconds_per_describe=30` moves the clock on at
every DescribeTrainingJob: a watcher in a subprocess sees the same story every time, in no time. The `Date` header of
every answer is the service's time, which may be ahead of this machine's.

**Faults** hit the clients under test, of any AWS service, and never `service.own_client(…)`:

    service.fail("DescribeTrainingJob", THROTTLED, times=3)     # then it works again
    service.fail("*", EXPIRED_TOKEN)                            # until service.heal()
    service.fail("PutObject", CONNECTION_RESET, after=2)        # the third one
    service.fail("*", EXPIRED_TOKEN, key="AKIAOLD")             # of the client with this access key id only
    service.fail("CreateTrainingJob", DENIED)                   # also SERVER_ERROR, UNAVAILABLE, Refusal(code, text)
    service.lose_answer("CreateTrainingJob")                    # carried out, then the connection breaks
    service.delay("GetLogEvents", 2.0)                          # real seconds
    service.hides_missing = True                                # S3 says 403 of objects that do not exist

S3 calls have their API names too (PutObject, UploadPart, ListObjectsV2, HeadBucket…), STS, IAM and ECR as well.

**Looking inside.** `service.requests(*operations)`: every request of the clients under test, in order, with
`.operation .service .region .body .error .at`; `service.writes()` are those that may change something.
`service.client("s3")` counts as under test, `service.own_client("s3")` does not. `service.job(name)`: the record, with
`.status .lines .transitions .description()`. `service.wait_for(name, timeout_s=60)`: until it is over, in real time.
`service.run_to_end(name)`: moves the clock until a timeline is over. Quotas: `scripted_service(quotas={"ml.g4dn.xlarge
for spot training job usage": 0})` (all others are 4, and enforced); prices: `prices={("ml.g4dn.xlarge", REGION): 1.0}`.

**Really training:** `TrainingInstance(interrupt_at=(3, 7))` runs `python -m container train` for a CreateTrainingJob:
channels downloaded from S3, checkpoint folder mirrored to S3 file by file, deletions too; SIGTERM at those steps, a
grace, SIGKILL, a fresh machine, downloaded and started again; model.tar.gz and output.tar.gz in S3; FailureReason from
output/failure. `kill_at=(5,)` takes the machine away without a word: S3 has what was copied by then. StopTrainingJob,
MaxRuntimeInSeconds and MaxWaitTimeInSeconds are honoured. `docker_image="name:tag"` runs that image in Docker instead.
Time is real then: leave `speed` at 1 (`clock.advance` brings a limit about). tests/service/digits.py has a dataset in
S3, a job of nine steps on it, and readers of what it leaves: put_dataset, create, events, model_of, checkpoints.
"""

from __future__ import annotations

from tests.service.instance import TrainingInstance
from tests.service.refusal import (
    CONNECTION_RESET,
    DENIED,
    EXPIRED_TOKEN,
    SERVER_ERROR,
    THROTTLED,
    UNAVAILABLE,
    Refusal,
)
from tests.service.service import REGION, Service, scripted_service
from tests.service.timeline import (
    PLAIN,
    Line,
    Timeline,
    capacity_error,
    completed,
    curve,
    downloading,
    failed,
    interrupted,
    max_runtime_exceeded,
    max_wait_exceeded,
    pending,
    phase,
    starting,
    timeline,
    training,
    uploading,
)

__all__ = [
    "CONNECTION_RESET",
    "DENIED",
    "EXPIRED_TOKEN",
    "PLAIN",
    "REGION",
    "SERVER_ERROR",
    "THROTTLED",
    "UNAVAILABLE",
    "Line",
    "Refusal",
    "Service",
    "Timeline",
    "TrainingInstance",
    "capacity_error",
    "completed",
    "curve",
    "downloading",
    "failed",
    "interrupted",
    "max_runtime_exceeded",
    "max_wait_exceeded",
    "pending",
    "phase",
    "scripted_service",
    "starting",
    "timeline",
    "training",
    "uploading",
]
