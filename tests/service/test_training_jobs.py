"""The calls about training jobs, through boto3, with what AWS answers to wrong ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.service import REGION, Service, completed, scripted_service, timeline, training
from tests.service.create_rules import FIXED_STORAGE
from tests.service.service import plain_request
from tests.service.training_job import ACCOUNT

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/"


@pytest.fixture
def service() -> Iterator[Service]:
    with scripted_service(timeline(training(100), completed()), speed=0) as service:
        yield service


@pytest.fixture
def sagemaker(service: Service) -> Any:
    return service.client("sagemaker")


def refused(call: Any, **request: Any) -> tuple[str, str]:
    """Code and message of what AWS has against a call."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_what_was_asked_for_is_described(service: Service, sagemaker: Any):
    request = plain_request("job-1") | {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
        "CheckpointConfig": {"S3Uri": "s3://ocr-data/ocr/runs/demo/checkpoints/"},
        "Environment": {"A": "b"},
        "Tags": [{"Key": "paddleocr-sagemaker:run", "Value": "demo"}],
    }
    assert sagemaker.create_training_job(**request)["TrainingJobArn"] == ARN + "job-1"
    described = sagemaker.describe_training_job(TrainingJobName="job-1")
    for member in set(request) - {"Tags", "AlgorithmSpecification"}:
        assert described[member] == request[member]
    assert described["AlgorithmSpecification"]["TrainingImage"] == request["AlgorithmSpecification"]["TrainingImage"]
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("InProgress", "Training")
    assert "ModelArtifacts" not in described
    assert "BillableTimeInSeconds" not in described
    assert service.requests("CreateTrainingJob")[0].body == request


def test_a_name_is_taken_once_per_region(service: Service, sagemaker: Any):
    sagemaker.create_training_job(**plain_request("job-1"))
    code, message = refused(sagemaker.create_training_job, **plain_request("job-1"))
    assert code == "ResourceInUse"
    assert ARN + "job-1" in message
    service.client("sagemaker", "us-east-1").create_training_job(**plain_request("job-1"))


def test_an_unknown_job_is_a_validation_error(service: Service, sagemaker: Any):
    sagemaker.create_training_job(**plain_request("job-1"))
    not_found = ("ValidationException", "Requested resource not found.")
    assert refused(sagemaker.describe_training_job, TrainingJobName="job-2") == not_found
    assert refused(sagemaker.stop_training_job, TrainingJobName="job-2") == not_found
    elsewhere = service.client("sagemaker", "eu-west-1")
    assert refused(elsewhere.describe_training_job, TrainingJobName="job-1") == not_found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"TrainingJobName": "under_score"},
            "at 'trainingJobName' failed to satisfy constraint: Member must satisfy",
        ),
        ({"TrainingJobName": "a" * 64}, "Member must have length less than or equal to 63"),
        ({"HyperParameters": {"k": "v" * 2501}}, "less than or equal to 2500"),
        ({"HyperParameters": {f"k{n}": "v" for n in range(101)}}, "less than or equal to 100"),
        ({"RoleArn": "the-role-called-ocr-train-exec"}, "at 'roleArn'"),
        ({"ResourceConfig": {"InstanceType": "ml.huge", "InstanceCount": 1}}, "Member must satisfy enum value set"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}}, "VolumeSizeInGB is required"),
        (
            {"ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeKmsKeyId": "alias/k"}},
            "VolumeKmsKeyId is not supported",
        ),
        ({"EnableManagedSpotTraining": True}, "Invalid MaxWaitTimeInSeconds. It must be present and be greater"),
        (
            {
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 100, "MaxWaitTimeInSeconds": 99},
            },
            "Invalid MaxWaitTimeInSeconds",
        ),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 9}}, "only supported when"),
        ({"CheckpointConfig": {"S3Uri": "checkpoints/"}}, "at 'checkpointConfig.s3Uri'"),
        ({"Tags": [{"Key": "a b!", "Value": "c"}]}, "at 'tags.1.member.key'"),
        ({"Environment": {"1A": "b"}}, "at 'environment.key'"),
    ],
)
def test_wrong_requests_are_refused_in_the_words_of_aws(sagemaker: Any, changes: dict[str, Any], said: str):
    code, message = refused(sagemaker.create_training_job, **plain_request("job-1") | changes)
    assert code == "ValidationException"
    assert said in message


def test_too_many_channels(sagemaker: Any):
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://ocr-data/d/"}}
    channels = [{"ChannelName": f"c{number}", "DataSource": source} for number in range(21)]
    _, message = refused(sagemaker.create_training_job, **plain_request("job-1"), InputDataConfig=channels)
    assert (
        "at 'inputDataConfig' failed to satisfy constraint: Member must have length less than or equal to 20" in message
    )
    twice = [channels[0], channels[0]]
    assert "c0 is given more than once" in refused(
        sagemaker.create_training_job, **plain_request("job-1"), InputDataConfig=twice
    )[1]  # fmt: skip


@pytest.mark.parametrize("image", ["g4dn.xlarge", "g5.2xlarge", "p4d.24xlarge", "p5.48xlarge"])
def test_families_with_storage_of_their_own_need_no_volume(sagemaker: Any, image: str):
    resources = {"InstanceType": f"ml.{image}", "InstanceCount": 1}
    assert FIXED_STORAGE.match(f"ml.{image}")
    sagemaker.create_training_job(**plain_request("job-1") | {"ResourceConfig": resources})


def test_quotas_refuse_in_the_real_sentence():
    with scripted_service(quotas={"ml.g4dn.xlarge for spot training job usage": 0}) as service:
        spot = {
            "EnableManagedSpotTraining": True,
            "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        }
        code, message = refused(service.client("sagemaker").create_training_job, **plain_request("job-1") | spot)
        assert code == "ResourceLimitExceeded"
        assert message.startswith(
            "The account-level service limit 'ml.g4dn.xlarge for spot training job usage' is 0 Instances, with current "
            "utilization of 0 Instances and a request delta of 1 Instances."
        )


def test_quotas_count_the_machines_in_use(service: Service, sagemaker: Any):
    three = {"ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 3}}
    sagemaker.create_training_job(**plain_request("job-1") | three)
    _, message = refused(sagemaker.create_training_job, **plain_request("job-2") | three)
    assert "is 4 Instances, with current utilization of 3 Instances and a request delta of 3 Instances" in message
    service.run_to_end("job-1")
    sagemaker.create_training_job(**plain_request("job-2") | three)


def test_strict_wants_the_role_and_the_image():
    with scripted_service(strict=True) as service:
        made = service.prepare()
        good = plain_request("job-1") | {"RoleArn": made.role}
        good["AlgorithmSpecification"] |= {"TrainingImage": made.image}
        create = service.client("sagemaker").create_training_job

        stranger = f"arn:aws:iam::{ACCOUNT}:role/stranger"
        assert refused(create, **good | {"RoleArn": stranger}) == (
            "ValidationException",
            f"Could not assume role {stranger}. Please ensure that the role exists and allows principal "
            "'sagemaker.amazonaws.com' to assume the role.",
        )
        for image, said in (
            (made.image.replace(":gpu", ":other"), "not found"),
            (made.image.replace("ocr-train", "other"), "not found"),
            (made.image.replace(REGION, "eu-west-1"), f"in {REGION}"),
        ):
            wrong = good | {"AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"}}
            assert said in refused(create, **wrong)[1]
        create(**good)
        repository = made.image.removesuffix(":gpu")
        by_digest = {"TrainingImage": f"{repository}@{made.digest}", "TrainingInputMode": "File"}
        create(**good | {"TrainingJobName": "job-2", "AlgorithmSpecification": by_digest})


def test_jobs_are_listed_in_pages_and_filtered(service: Service, sagemaker: Any):
    for number in range(12):
        service.seed(f"demo-{number:02}")
        service.clock.advance(2)
    service.seed("other")
    names = [
        row["TrainingJobName"]
        for page in sagemaker.get_paginator("list_training_jobs").paginate(NameContains="DEMO", SortOrder="Descending")
        for row in page["TrainingJobSummaries"]
    ]
    assert names == [f"demo-{number:02}" for number in reversed(range(12))]
    assert len(service.requests("ListTrainingJobs")) == 2

    first = sagemaker.describe_training_job(TrainingJobName="demo-00")["CreationTime"]
    soon = first + timedelta(seconds=1)  # boto3 sends whole seconds
    early = sagemaker.list_training_jobs(CreationTimeBefore=soon)["TrainingJobSummaries"]
    assert [row["TrainingJobName"] for row in early] == ["demo-00"]
    service.run_to_end("demo-03")
    done = sagemaker.list_training_jobs(StatusEquals="Completed", SortBy="Name")["TrainingJobSummaries"]
    assert [row["TrainingJobName"] for row in done] == [f"demo-{number:02}" for number in range(4)]
    assert refused(sagemaker.list_training_jobs, NextToken="made up")[0] == "ValidationException"
    assert refused(sagemaker.list_training_jobs, MaxResults=101)[0] == "ValidationException"


def test_tags_are_added_and_listed(sagemaker: Any):
    sagemaker.create_training_job(**plain_request("job-1"), Tags=[{"Key": "a", "Value": "1"}])
    sagemaker.add_tags(ResourceArn=ARN + "job-1", Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    tags = sagemaker.list_tags(ResourceArn=ARN + "job-1")["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"a": "3", "b": "2"}
    assert refused(sagemaker.list_tags, ResourceArn=ARN + "job-2")[0] == "ValidationException"


def test_a_warm_pool_can_be_given_more_time(service: Service, sagemaker: Any):
    resources = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "KeepAlivePeriodInSeconds": 60}
    sagemaker.create_training_job(**plain_request("job-1") | {"ResourceConfig": resources})
    service.run_to_end("job-1")
    service.clock.advance(59)
    status = "WarmPoolStatus"
    assert sagemaker.describe_training_job(TrainingJobName="job-1")[status]["Status"] == "Available"
    sagemaker.update_training_job(TrainingJobName="job-1", ResourceConfig={"KeepAlivePeriodInSeconds": 120})
    service.clock.advance(59)
    assert sagemaker.describe_training_job(TrainingJobName="job-1")[status]["Status"] == "Available"
    service.clock.advance(9)
    ended = sagemaker.describe_training_job(TrainingJobName="job-1")[status]
    assert ended == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 120}
    more = {"ResourceConfig": {"KeepAlivePeriodInSeconds": 120}}
    assert refused(sagemaker.update_training_job, TrainingJobName="job-1", **more)[0] == "ValidationException"


def test_a_warm_pool_is_ended_at_once(service: Service, sagemaker: Any):
    resources = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "KeepAlivePeriodInSeconds": 600}
    sagemaker.create_training_job(**plain_request("job-1") | {"ResourceConfig": resources})
    service.run_to_end("job-1")
    service.clock.advance(60)
    sagemaker.update_training_job(TrainingJobName="job-1", ResourceConfig={"KeepAlivePeriodInSeconds": 0})
    service.clock.advance(60)
    pool = sagemaker.describe_training_job(TrainingJobName="job-1")["WarmPoolStatus"]
    assert pool["Status"] == "Terminated"
    assert 60 <= pool["ResourceRetainedBillableTimeInSeconds"] < 65


def test_a_job_is_deleted_when_it_is_over(service: Service, sagemaker: Any):
    sagemaker.create_training_job(**plain_request("job-1"))
    assert refused(sagemaker.delete_training_job, TrainingJobName="job-1")[0] == "ResourceInUse"
    service.run_to_end("job-1")
    sagemaker.delete_training_job(TrainingJobName="job-1")
    assert refused(sagemaker.describe_training_job, TrainingJobName="job-1")[0] == "ValidationException"
    sagemaker.create_training_job(**plain_request("job-1"))


def test_an_operation_that_is_not_spoken_is_said_so(sagemaker: Any):
    code, message = refused(sagemaker.list_endpoints)
    assert (code, message) == ("UnknownOperationException", "tests/service does not speak ListEndpoints")


def test_the_environment_is_all_that_another_process_needs(service: Service):
    program = "import boto3; print(boto3.client('sagemaker').list_training_jobs()['TrainingJobSummaries'])"
    done = subprocess.run([sys.executable, "-c", program], env=service.environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
    assert [request.operation for request in service.requests()] == ["ListTrainingJobs"]


def test_other_services_are_motos_at_the_same_address(service: Service, monkeypatch: pytest.MonkeyPatch):
    for name, value in service.environment.items():
        monkeypatch.setenv(name, value)
    assert boto3.client("sts").get_caller_identity()["Account"] == ACCOUNT
    service.make_bucket("ocr-data")
    s3 = boto3.client("s3")
    s3.put_object(Bucket="ocr-data", Key="a/b", Body=b"c")
    assert s3.get_object(Bucket="ocr-data", Key="a/b")["Body"].read() == b"c"
    s3.head_bucket(Bucket="ocr-data")
    assert [(each.service, each.operation) for each in service.requests()] == [
        ("sts", "GetCallerIdentity"),
        ("s3", "PutObject"),
        ("s3", "GetObject"),
        ("s3", "HeadBucket"),
    ]
    assert [request.operation for request in service.writes()] == ["PutObject"]
