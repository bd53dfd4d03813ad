"""Every call to AWS that this project makes, in one table; the IAM policies in docs/iam/ are made from it.

python -m launcher.cloud.permissions docs/iam     (part of `make docs`)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.cloud.partition import partition_of

# Who is allowed: the user who launches, whoever sets the account up, the role that a job runs as.
USER, OWNER, ROLE = "launching-user", "setup", "execution-role"
# Only for --subnets and --kms-key.
ROLE_IN_VPC, ROLE_WITH_KEY, USER_WITH_KEY = "execution-role-vpc", "execution-role-kms", "launching-user-kms"
TRUST = "trust"

SAGEMAKER = "sagemaker.amazonaws.com"
LOG_GROUP = "/aws/sagemaker/TrainingJobs"  # also the namespace of the metrics

# Who makes the call. SageMaker makes it on behalf of a request or of the job; Docker speaks to the registry itself.
BOTO3, SDK, DOCKER, PLATFORM = "boto3", "sagemaker SDK", "Docker", "SageMaker"


@dataclass(frozen=True)
class Resource:
    """What calls are about, as IAM names it. Capitals are placeholders."""

    sid: str
    arns: tuple[str, ...]
    condition: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # operator, key, values

    @property
    def statement_condition(self) -> dict[str, dict[str, Any]]:
        together: dict[str, dict[str, Any]] = {}
        for operator, key, values in self.condition:
            together.setdefault(operator, {})[key] = values[0] if len(values) == 1 else list(values)
        return together


@dataclass(frozen=True)
class Call:
    """One operation of a service, who needs it, and what IAM calls it."""

    who: str
    service: str  # boto3's name
    operation: str
    resource: Resource
    actions: tuple[str, ...] = ()  # where IAM's name is not service:operation
    by: str = BOTO3
    needed: bool = True  # to run a job; else for a check that is then unknown, or for pushing images

    @property
    def iam_actions(self) -> tuple[str, ...]:
        prefix = {"service-quotas": "servicequotas", "cloudwatch": "cloudwatch"}.get(self.service, self.service)
        return self.actions or (f"{prefix}:{self.operation}",)


ANYTHING = Resource("Anything", ("*",))
JOBS = Resource("Jobs", ("arn:aws:sagemaker:REGION:ACCOUNT:training-job/*",))
LOGS = Resource("Logs", (f"arn:aws:logs:REGION:ACCOUNT:log-group:{LOG_GROUP}:*",))
BUCKET = Resource("Bucket", ("arn:aws:s3:::BUCKET",))
FOLDER = Resource("Folder", BUCKET.arns, (("StringLike", "s3:prefix", ("PREFIX/*",)),))
FILES = Resource("Files", ("arn:aws:s3:::BUCKET/PREFIX/*",))
INPUTS = Resource("Inputs", FILES.arns)
RUNS = Resource("Runs", ("arn:aws:s3:::BUCKET/PREFIX/runs/*",))
ALL_FILES = Resource("AllFiles", ("arn:aws:s3:::BUCKET/*",))
REPOSITORY = Resource("Repository", ("arn:aws:ecr:REGION:ACCOUNT:repository/REPOSITORY",))
IAM_ROLE = Resource("Role", ("arn:aws:iam::ACCOUNT:role/ROLE",))
PASSED_ROLE = Resource("PassedRole", IAM_ROLE.arns, (("StringEquals", "iam:PassedToService", (SAGEMAKER,)),))
CALLER = Resource("Caller", ("arn:aws:iam::ACCOUNT:user/*", "arn:aws:iam::ACCOUNT:role/*"))
METRICS = Resource("Metrics", ("*",), (("StringEquals", "cloudwatch:namespace", (LOG_GROUP,)),))
JOB_LOGS = Resource("JobLogs", (f"arn:aws:logs:REGION:ACCOUNT:log-group:{LOG_GROUP}*",))
KEY = Resource("Key", ("arn:aws:kms:REGION:ACCOUNT:key/KEY",))

LIST, READ = ("s3:ListBucket",), ("s3:GetObject",)
PUSH = ("BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage")
NETWORK = (
    "CreateNetworkInterface",
    "CreateNetworkInterfacePermission",
    "DeleteNetworkInterface",
    "DeleteNetworkInterfacePermission",
    "DescribeNetworkInterfaces",
    "DescribeVpcs",
    "DescribeDhcpOptions",
    "DescribeSubnets",
    "DescribeSecurityGroups",
)

TABLE: tuple[Call, ...] = (
    # jobs
    Call(USER, "sagemaker", "CreateTrainingJob", JOBS, ("sagemaker:CreateTrainingJob", "sagemaker:AddTags"), SDK),
    Call(USER, "iam", "PassRole", PASSED_ROLE, by=PLATFORM),
    Call(USER, "sagemaker", "DescribeTrainingJob", JOBS),
    Call(USER, "sagemaker", "StopTrainingJob", JOBS),
    Call(USER, "sagemaker", "UpdateTrainingJob", JOBS, needed=False),
    Call(USER, "sagemaker", "ListTrainingJobs", ANYTHING),
    Call(USER, "logs", "DescribeLogStreams", LOGS),
    Call(USER, "logs", "GetLogEvents", LOGS),
    # data and models
    # It names no prefix, so the folder's condition denies it; S3 tells existence and region in its refusal, too.
    Call(USER, "s3", "HeadBucket", FOLDER, LIST, needed=False),
    Call(USER, "s3", "ListObjectsV2", FOLDER, LIST),
    Call(USER, "s3", "HeadObject", FILES, READ),
    Call(USER, "s3", "GetObject", FILES, READ),
    Call(USER, "s3", "PutObject", FILES),
    Call(USER, "s3", "AbortMultipartUpload", FILES, needed=False),
    # the image
    Call(USER, "ecr", "GetAuthorizationToken", ANYTHING, needed=False),
    Call(USER, "ecr", "DescribeRepositories", REPOSITORY, needed=False),
    Call(USER, "ecr", "CreateRepository", REPOSITORY, ("ecr:CreateRepository", "ecr:TagResource"), needed=False),
    Call(USER, "ecr", "PutLifecyclePolicy", REPOSITORY, needed=False),
    Call(USER, "ecr", "DescribeImages", REPOSITORY, needed=False),
    Call(USER, "ecr", "BatchGetImage", REPOSITORY, needed=False),
    Call(USER, "ecr", "GetDownloadUrlForLayer", REPOSITORY, needed=False),
    *(Call(USER, "ecr", operation, REPOSITORY, by=DOCKER, needed=False) for operation in PUSH),
    # checks before money
    Call(USER, "sts", "GetCallerIdentity", ANYTHING, needed=False),
    Call(USER, "iam", "GetRole", IAM_ROLE, needed=False),
    Call(USER, "iam", "SimulatePrincipalPolicy", CALLER, needed=False),
    Call(USER, "service-quotas", "ListServiceQuotas", ANYTHING, needed=False),
    Call(USER, "service-quotas", "ListAWSDefaultServiceQuotas", ANYTHING, needed=False),
    Call(USER, "pricing", "GetProducts", ANYTHING, needed=False),
    # setup and teardown
    Call(OWNER, "sts", "GetCallerIdentity", ANYTHING),
    Call(OWNER, "s3", "HeadBucket", BUCKET, LIST),
    Call(OWNER, "s3", "CreateBucket", BUCKET),
    Call(OWNER, "s3", "GetBucketTagging", BUCKET),
    Call(OWNER, "s3", "PutBucketTagging", BUCKET),
    Call(OWNER, "s3", "PutPublicAccessBlock", BUCKET, ("s3:PutBucketPublicAccessBlock",)),
    Call(OWNER, "s3", "PutBucketVersioning", BUCKET),
    Call(OWNER, "s3", "GetBucketPolicy", BUCKET),
    Call(OWNER, "s3", "PutBucketPolicy", BUCKET),
    Call(OWNER, "s3", "GetBucketLifecycleConfiguration", BUCKET, ("s3:GetLifecycleConfiguration",)),
    Call(OWNER, "s3", "PutBucketLifecycleConfiguration", BUCKET, ("s3:PutLifecycleConfiguration",)),
    Call(OWNER, "s3", "ListObjectVersions", BUCKET, ("s3:ListBucketVersions",)),
    Call(OWNER, "s3", "ListMultipartUploads", BUCKET, ("s3:ListBucketMultipartUploads",)),
    Call(OWNER, "s3", "AbortMultipartUpload", ALL_FILES),
    Call(OWNER, "s3", "DeleteObjects", ALL_FILES, ("s3:DeleteObject", "s3:DeleteObjectVersion")),
    Call(OWNER, "s3", "DeleteBucket", BUCKET),
    Call(OWNER, "iam", "GetRole", IAM_ROLE),
    Call(OWNER, "iam", "CreateRole", IAM_ROLE, ("iam:CreateRole", "iam:TagRole")),
    Call(OWNER, "iam", "PutRolePolicy", IAM_ROLE),
    Call(OWNER, "iam", "GetRolePolicy", IAM_ROLE),
    Call(OWNER, "iam", "ListRolePolicies", IAM_ROLE),
    Call(OWNER, "iam", "ListAttachedRolePolicies", IAM_ROLE),
    Call(OWNER, "iam", "DeleteRolePolicy", IAM_ROLE),
    Call(OWNER, "iam", "DeleteRole", IAM_ROLE),
    Call(OWNER, "ecr", "DescribeRepositories", REPOSITORY),
    Call(OWNER, "ecr", "CreateRepository", REPOSITORY, ("ecr:CreateRepository", "ecr:TagResource")),
    Call(OWNER, "ecr", "PutLifecyclePolicy", REPOSITORY),
    Call(OWNER, "ecr", "ListTagsForResource", REPOSITORY),
    Call(OWNER, "ecr", "DescribeImages", REPOSITORY),
    Call(OWNER, "ecr", "DeleteRepository", REPOSITORY),
    Call(OWNER, "sagemaker", "ListTrainingJobs", ANYTHING),
    Call(OWNER, "sagemaker", "DescribeTrainingJob", JOBS),
    # the job itself, as SageMaker runs it
    Call(ROLE, "s3", "ListObjectsV2", FOLDER, LIST, PLATFORM),
    Call(ROLE, "s3", "GetObject", INPUTS, READ, PLATFORM),
    # Deletions in the checkpoint folder reach S3 as well: pruning there prunes here.
    Call(ROLE, "s3", "PutObject", RUNS, ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"), PLATFORM),
    Call(ROLE, "ecr", "GetAuthorizationToken", ANYTHING, by=PLATFORM),
    *(
        Call(ROLE, "ecr", operation, REPOSITORY, by=PLATFORM)
        for operation in ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage")
    ),
    *(
        Call(ROLE, "logs", operation, JOB_LOGS, by=PLATFORM)
        for operation in ("CreateLogGroup", "CreateLogStream", "PutLogEvents", "DescribeLogStreams")
    ),
    Call(ROLE, "cloudwatch", "PutMetricData", METRICS, by=PLATFORM),
    Call(USER_WITH_KEY, "kms", "DescribeKey", KEY),
    # S3 encrypts and decrypts on behalf of whoever sends and fetches.
    *(Call(USER_WITH_KEY, "kms", operation, KEY, by=PLATFORM) for operation in ("Decrypt", "GenerateDataKey")),
    *(Call(ROLE_IN_VPC, "ec2", operation, ANYTHING, by=PLATFORM) for operation in NETWORK),
    *(
        Call(ROLE_WITH_KEY, "kms", operation, KEY, by=PLATFORM)
        for operation in ("Decrypt", "Encrypt", "GenerateDataKey", "CreateGrant", "DescribeKey")
    ),
)


@dataclass(frozen=True)
class Names:
    """What stands where a policy has capitals. Empty: the placeholder stays."""

    account: str = ""
    region: str = ""
    bucket: str = ""
    prefix: str | None = None  # None: the placeholder stays; empty: the whole bucket
    role: str = ""  # its name
    repository: str = ""

    @property
    def placeholders(self) -> Mapping[str, str]:
        # Longest first, and REPOSITORY before ROLE and REGION: none is a part of another that is left to do.
        return {
            "REPOSITORY": self.repository,
            "ACCOUNT": self.account,
            "BUCKET": self.bucket,
            "REGION": self.region,
            "ROLE": self.role,
        }


def policy(who: str, names: Names | None = None) -> dict[str, Any]:
    """The least that `who` needs, as an IAM policy."""
    statements = []
    for resource, actions in _by_resource(who):
        statement: dict[str, Any] = {
            "Sid": resource.sid,
            "Effect": "Allow",
            "Action": actions,
            "Resource": _one_or_all(resource.arns),
        }
        if resource.condition:
            statement["Condition"] = resource.statement_condition
        statements.append(statement)
    return _filled({"Version": "2012-10-17", "Statement": statements}, names)


def trust_policy(names: Names | None = None) -> dict[str, Any]:
    """Who may become the execution role: SageMaker, on behalf of this account alone."""
    statement = {
        "Sid": "SageMaker",
        "Effect": "Allow",
        "Principal": {"Service": SAGEMAKER},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "ACCOUNT"}},
    }
    return _filled({"Version": "2012-10-17", "Statement": [statement]}, names)


def actions_by_resource(
    who: str, names: Names, *, needed: bool = False
) -> list[tuple[Resource, list[str], tuple[str, ...]]]:
    """What `who` uses, or `needed` to run a job: resource, actions, and its ARNs with these names."""
    return [
        (resource, actions, tuple(fill(arn, names) for arn in resource.arns))
        for resource, actions in _by_resource(who, needed=needed)
    ]


def documents() -> dict[str, dict[str, Any]]:
    """The files of docs/iam/ by name."""
    whos = (USER, USER_WITH_KEY, OWNER, ROLE, ROLE_IN_VPC, ROLE_WITH_KEY)
    return {f"{who}.json": policy(who) for who in whos} | {f"{TRUST}.json": trust_policy()}


def as_text(document: dict[str, Any]) -> str:
    """A policy as its file has it."""
    return json.dumps(document, indent=2) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Write the files into the folder that is named."""
    (folder,) = map(Path, sys.argv[1:] if argv is None else argv)
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents().items():
        (folder / name).write_text(as_text(document), encoding="utf-8", newline="\n")
    return 0


def _by_resource(who: str, *, needed: bool = False) -> Iterable[tuple[Resource, list[str]]]:
    """Resources in the order of the table, each with its actions, once."""
    found: dict[Resource, dict[str, None]] = {}
    for call in TABLE:
        if call.who == who and (call.needed or not needed):
            found.setdefault(call.resource, {}).update(dict.fromkeys(call.iam_actions))
    return [(resource, sorted(actions)) for resource, actions in found.items()]


def _one_or_all(arns: tuple[str, ...]) -> str | list[str]:
    return arns[0] if len(arns) == 1 else list(arns)


def _filled(document: dict[str, Any], names: Names | None) -> dict[str, Any]:
    filled: dict[str, Any] = fill(document, names) if names else document
    return filled


def fill(value: Any, names: Names) -> Any:
    """The same with names in place of placeholders. Actions hold none: theirs are CamelCase."""
    if isinstance(value, dict):
        return {key: fill(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, names) for inner in value]
    if not isinstance(value, str):
        return value
    if names.prefix is not None:
        value = value.replace("PREFIX/", f"{names.prefix}/" if names.prefix else "")
    for placeholder, name in names.placeholders.items():
        if name:
            value = value.replace(placeholder, name)
    return value.replace("arn:aws:", f"arn:{partition_of(names.region).name}:", 1)


if __name__ == "__main__":
    raise SystemExit(main())
