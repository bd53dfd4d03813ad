"""The request of a plan, the one that the SDK sends, and what the service model takes: one and the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from contract.errors import UserError
from contract.events import METRIC_DEFINITIONS
from launcher.aws import Account
from launcher.cloud.estimator import create_job
from launcher.cloud.layout import S3Uri
from launcher.cloud.plan import Input, RecipeChoice
from launcher.cloud.request import Request, build_request, check_request
from tests.launcher.cloud_plans import ACCOUNT, BUCKET, DATASET, IMAGE, REGION, ROLE, planned
from tests.launcher.running import RECIPE
from tests.service import Service, scripted_service
from tests.service.model_check import check_request as check_against_model
from tests.service.model_check import model_of

ABSENT = "absent"
VPC = ("--subnets", "subnet-0a1b,subnet-2c3d", "--security-groups", "sg-0a1b")
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-0000-1111-2222-333344445555"
IN_S3 = {"training": Input(S3Uri("other-bucket", "words/"))}
FOUR_CHANNELS = {
    name: Input(S3Uri(BUCKET, f"ocr/{place}/"))
    for name, place in (("training", "t"), ("validation", "v"), ("pretrained", "p"), ("recipe", "r"))
}
OWN_RECIPE = RecipeChoice("/opt/ml/input/data/recipe/own.yml", None, "own.yml")
OTHER_IMAGE = f"210987654321.dkr.ecr.{REGION}.amazonaws.com/team/ocr:v1"

# name: flags, facts, and what the request has where (dots; ABSENT: nothing)
FIXTURES: dict[str, tuple[tuple[str, ...], dict[str, Any], dict[str, Any]]] = {
    "plain": ((), {}, {
        "TrainingJobName": "lines-001520030636",
        "AlgorithmSpecification.TrainingImage": IMAGE,
        "AlgorithmSpecification.TrainingInputMode": "File",
        "RoleArn": ROLE,
        "HyperParameters": {"config": RECIPE, "run_id": "lines"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/ocr/runs/lines/output/"},
        "CheckpointConfig": {
            "S3Uri": f"s3://{BUCKET}/ocr/runs/lines/checkpoints/", "LocalPath": "/opt/ml/checkpoints",
        },
        "ResourceConfig": {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        "ProfilerConfig": {"DisableProfiler": True},
        "DebugHookConfig": ABSENT, "VpcConfig": ABSENT, "EnableManagedSpotTraining": ABSENT,
        "EnableNetworkIsolation": ABSENT, "EnableInterContainerTrafficEncryption": ABSENT, "Environment": {},
    }),
    "g4dn 12xlarge": (("--instance", "ml.g4dn.12xlarge"), {}, {"ResourceConfig.InstanceType": "ml.g4dn.12xlarge"}),
    "g5": (("--instance", "ml.g5.xlarge"), {}, {"ResourceConfig.VolumeSizeInGB": 30}),
    "g6": (("--instance", "ml.g6.2xlarge"), {}, {"ResourceConfig.InstanceType": "ml.g6.2xlarge"}),
    "g6e": (("--instance", "ml.g6e.xlarge"), {}, {"ResourceConfig.InstanceType": "ml.g6e.xlarge"}),
    "p3 has a volume for the data": (("--instance", "ml.p3.2xlarge"), {}, {"ResourceConfig.VolumeSizeInGB": 31}),
    "p4d": (("--instance", "ml.p4d.24xlarge"), {}, {"ResourceConfig.VolumeSizeInGB": 30}),
    "p5": (("--instance", "ml.p5.48xlarge"), {}, {"ResourceConfig.InstanceType": "ml.p5.48xlarge"}),
    "p3dn with NVMe and a key": (("--instance", "ml.p3dn.24xlarge", "--kms-key", KEY), {}, {
        "ResourceConfig": {"InstanceType": "ml.p3dn.24xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
    }),
    "m5 without GPU": (("--instance", "ml.m5.large"), {}, {"ResourceConfig.VolumeSizeInGB": 31}),
    "c5 with a volume": (("--instance", "ml.c5.xlarge", "--volume-size", "80"), {}, {
        "ResourceConfig.VolumeSizeInGB": 80,
    }),
    "a volume on NVMe": (("--volume-size", "80"), {}, {"ResourceConfig.VolumeSizeInGB": 80}),
    "a type not in the table": (("--instance", "ml.g7e.2xlarge"), {}, {
        "ResourceConfig.InstanceType": "ml.g7e.2xlarge",
    }),
    "Spot": (("--spot",), {}, {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400, "MaxWaitTimeInSeconds": 172800},
    }),
    "Spot with times": (("--spot", "--max-run", "90m", "--max-wait", "3h"), {}, {
        "StoppingCondition": {"MaxRuntimeInSeconds": 5400, "MaxWaitTimeInSeconds": 10800},
    }),
    "Spot that need not wait": (("--spot", "--max-run", "2h", "--max-wait", "2h"), {}, {
        "StoppingCondition": {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 7200},
    }),
    "Spot for 28 days": (("--spot", "--max-run", "28d"), {}, {
        "StoppingCondition": {"MaxRuntimeInSeconds": 2419200, "MaxWaitTimeInSeconds": 2505600},
    }),
    "Spot switched off": (("--spot", "--no-spot", "--max-wait", "9d"), {}, {
        "EnableManagedSpotTraining": ABSENT, "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    }),
    "a limit of money": (("--max-cost", "5"), {}, {"StoppingCondition": {"MaxRuntimeInSeconds": 5 * 3600 - 600}}),
    "a limit of money with Spot": (("--spot", "--max-cost", "$2.50"), {}, {
        "StoppingCondition.MaxRuntimeInSeconds": 9000 - 600,
    }),
    "a limit of money for two": (("--max-cost", "5", "--instance-count", "2"), {}, {
        "StoppingCondition.MaxRuntimeInSeconds": 9000 - 600,
    }),
    "a limit of money that is no limit": (("--max-cost", "500", "--max-run", "1h"), {}, {
        "StoppingCondition.MaxRuntimeInSeconds": 3600,
    }),
    "VPC": (VPC, {}, {
        "VpcConfig": {"Subnets": ["subnet-0a1b", "subnet-2c3d"], "SecurityGroupIds": ["sg-0a1b"]},
    }),
    "VPC and Spot": ((*VPC, "--spot"), {}, {
        "EnableManagedSpotTraining": True, "VpcConfig.SecurityGroupIds": ["sg-0a1b"],
    }),
    "a key on NVMe": (("--kms-key", KEY), {}, {
        "OutputDataConfig.KmsKeyId": KEY, "ResourceConfig.VolumeKmsKeyId": ABSENT,
    }),
    "a key on EBS": (("--instance", "ml.p3.2xlarge", "--kms-key", KEY), {}, {
        "OutputDataConfig.KmsKeyId": KEY, "ResourceConfig.VolumeKmsKeyId": KEY,
    }),
    "an alias of a key": (("--kms-key", "alias/ocr"), {}, {"OutputDataConfig.KmsKeyId": "alias/ocr"}),
    "a warm pool": (("--keep-alive", "30m"), {}, {"ResourceConfig.KeepAlivePeriodInSeconds": 1800}),
    "the longest warm pool": (("--keep-alive", "6h"), {}, {"ResourceConfig.KeepAlivePeriodInSeconds": 21600}),
    "several machines": (("--instance-count", "4", "--instance", "ml.g5.12xlarge"), {}, {
        "ResourceConfig.InstanceCount": 4,
    }),
    "several machines with volumes, Spot, VPC and a key": (
        ("--instance-count", "3", "--instance", "ml.p3.8xlarge", "--spot", "--kms-key", KEY, *VPC), {}, {
            "ResourceConfig": {
                "InstanceType": "ml.p3.8xlarge", "InstanceCount": 3, "VolumeSizeInGB": 31, "VolumeKmsKeyId": KEY,
            },
            "InputDataConfig": [{"ChannelName": "training", "DataSource": {"S3DataSource": {
                "S3DataType": "S3Prefix", "S3Uri": str(DATASET.uri), "S3DataDistributionType": "FullyReplicated",
            }}}],
        },
    ),
    "several machines kept warm": (("--instance-count", "2", "--keep-alive", "10m"), {}, {
        "ResourceConfig.InstanceCount": 2, "ResourceConfig.KeepAlivePeriodInSeconds": 600,
    }),
    "tags and variables in other scripts": (("--tags", "équipe=日本", "--env", "TEXT=ตัวอักษร = \n"), {}, {
        "Environment": {"TEXT": "ตัวอักษร = \n"},
    }),
    "network isolation": (("--network-isolation",), {}, {"EnableNetworkIsolation": True}),
    "isolation, VPC and key": (("--network-isolation", *VPC, "--kms-key", KEY), {}, {
        "EnableNetworkIsolation": True, "VpcConfig.Subnets": ["subnet-0a1b", "subnet-2c3d"],
    }),
    "tags": (("--tags", "team=ocr", "--tags", "cost centre=a:b/c,owner=me@x.org"), {}, {
        "Tags": [
            {"Key": "paddleocr-sagemaker:project", "Value": "paddleocr-sagemaker"},
            {"Key": "paddleocr-sagemaker:run", "Value": "lines"},
            {"Key": "team", "Value": "ocr"},
            {"Key": "cost centre", "Value": "a:b/c"},
            {"Key": "owner", "Value": "me@x.org"},
        ],
    }),
    "variables": (("--env", "FLAGS_cudnn_deterministic=1", "--env", "EMPTY=", "--env", "A=b=c"), {}, {
        "Environment": {"FLAGS_cudnn_deterministic": "1", "EMPTY": "", "A": "b=c"},
    }),
    "hyperparameters as they are written": (("--epochs", "3", "--learning-rate", "1e-4", "--amp=false"), {}, {
        "HyperParameters": {
            "config": RECIPE, "run_id": "lines", "epochs": "3", "learning_rate": "1e-4", "amp": "false",
        },
    }),
    "overrides": (("-o", "Optimizer.lr.name=Const", "-o", "Global.print_batch_step=7"), {}, {
        "HyperParameters.Optimizer\\.lr\\.name": "Const",
    }),
    "a dataset in S3": (("--dataset", "s3://other-bucket/words"), {"channels": IN_S3}, {
        "InputDataConfig": [{"ChannelName": "training", "DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": "s3://other-bucket/words/", "S3DataDistributionType": "FullyReplicated",
        }}}],
    }),
    "all channels and a recipe of one's own": ((), {"channels": FOUR_CHANNELS, "recipe": OWN_RECIPE}, {
        "HyperParameters.config": "/opt/ml/input/data/recipe/own.yml",
    }),
    "another prefix": (("--prefix", "team/ocr"), {}, {
        "OutputDataConfig.S3OutputPath": f"s3://{BUCKET}/team/ocr/runs/lines/output/",
        "CheckpointConfig.S3Uri": f"s3://{BUCKET}/team/ocr/runs/lines/checkpoints/",
    }),
    "runs elsewhere": (("--output", "s3://models/all"), {}, {
        "OutputDataConfig.S3OutputPath": "s3://models/all/lines/output/",
        "CheckpointConfig.S3Uri": "s3://models/all/lines/checkpoints/",
    }),
    "checkpoints elsewhere": (("--checkpoint-uri", "s3://scratch/lines"), {}, {
        "CheckpointConfig.S3Uri": "s3://scratch/lines/",
    }),
    "no checkpoints": (("--checkpoint-uri", "none"), {}, {"CheckpointConfig": ABSENT}),
    "a run with _ and .": (("--run", "Lines_v1.2"), {}, {
        "TrainingJobName": "Lines-v1-2-001083830070", "HyperParameters.run_id": "Lines_v1.2",
        "OutputDataConfig.S3OutputPath": f"s3://{BUCKET}/ocr/runs/Lines_v1.2/output/",
    }),
    "a run of 63 characters": (("--run", "x" * 63), {}, {"TrainingJobName": f"{'x' * 50}-001974562804"}),
    "an image of another account, by tag": (("--image-uri", OTHER_IMAGE), {}, {
        "AlgorithmSpecification.TrainingImage": OTHER_IMAGE,
    }),
    "a ladder begins with its first": (("--instance", "ml.g4dn.xlarge,ml.p3.2xlarge"), {}, {
        "ResourceConfig.InstanceType": "ml.g4dn.xlarge", "ResourceConfig.VolumeSizeInGB": 30,
    }),
}  # fmt: skip


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with scripted_service(speed=0) as running:
        yield running


@pytest.fixture(scope="module")
def session(service: Service) -> boto3.Session:
    """One for all: it reads SageMaker's model once."""
    keys = service.environment
    return boto3.Session(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], region_name=REGION)


@pytest.fixture
def account(service: Service, session: boto3.Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Account:
    monkeypatch.chdir(tmp_path)  # the SDK looks upwards for files of SageMaker Studio
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in service.environment.items():
        monkeypatch.setenv(name, value)
    service.jobs.clear()  # names are free again
    service.recorded.clear()
    return Account(ACCOUNT, REGION, session)


def value_at(request: Any, path: str) -> Any:
    for key in path.replace("\\.", "\0").split("."):
        request = request.get(key.replace("\0", "."), ABSENT)
    return request


@pytest.fixture
def _sdk_without_its_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK checks our constant settings 22 times a job, for two seconds; other tests here let it."""
    monkeypatch.setattr("jsonschema.validate", lambda *_: None)


@pytest.mark.usefixtures("_sdk_without_its_schema")
@pytest.mark.parametrize("name", FIXTURES)
def test_the_plan_is_what_the_sdk_sends(name: str, service: Service, account: Account) -> None:
    flags, changed, expected = FIXTURES[name]
    request = build_request(planned(*flags, **changed))
    for path, value in expected.items():
        assert value_at(request, path) == value, path
    assert request["AlgorithmSpecification"]["MetricDefinitions"] == list(METRIC_DEFINITIONS)
    create_job(account, request)
    sent = service.requests()
    assert [each.operation for each in sent] == ["CreateTrainingJob"]  # no bucket is made, no role asked for
    assert sent[0].body == request
    assert_valid(request)


def test_there_are_forty_fixtures_and_each_differs() -> None:
    built = [str(build_request(planned(*flags, **changed))) for flags, changed, _ in FIXTURES.values()]
    assert len(set(built)) >= 40


def test_the_fixtures_cover_every_member_that_a_plan_can_set() -> None:
    """Each is there in one fixture at least, and is not in another: a flag that no fixture gives is seen here."""
    built = [set(members(build_request(planned(*flags, **changed)))) for flags, changed, _ in FIXTURES.values()]
    sometimes = set().union(*built) - set.intersection(*built)
    assert sometimes == {
        *("EnableManagedSpotTraining", "EnableNetworkIsolation", "StoppingCondition.MaxWaitTimeInSeconds"),
        *("VpcConfig", "VpcConfig.Subnets", "VpcConfig.SecurityGroupIds", "OutputDataConfig.KmsKeyId"),
        *("CheckpointConfig", "CheckpointConfig.S3Uri", "CheckpointConfig.LocalPath"),
        *("ResourceConfig.VolumeKmsKeyId", "ResourceConfig.KeepAlivePeriodInSeconds"),
    }
    counts = {planned(*flags, **changed).count for flags, changed, _ in FIXTURES.values()}
    assert {1, 2, 3, 4} <= counts


def members(value: Any, path: str = "") -> Iterator[str]:
    """The paths of the members of a request, down to maps that are the user's own."""
    if not isinstance(value, dict) or path in ("HyperParameters.", "Environment."):
        return
    for key, inner in value.items():
        yield path + key
        yield from members(inner, f"{path}{key}.")


def assert_valid(request: Request) -> None:
    """By botocore's own validator, and by the limits and patterns of the model, which that one does not check."""
    shape = model_of("sagemaker").operation_model("CreateTrainingJob").input_shape
    assert ParamValidator().validate(request, shape).generate_report() == ""
    check_against_model("sagemaker", "CreateTrainingJob", request)


def test_every_rung_of_a_ladder_has_its_own_request(service: Service, account: Account) -> None:
    plan = planned("--instance", "ml.g4dn.xlarge,ml.p3.2xlarge", "--kms-key", KEY, "--spot")
    first, second = (build_request(plan, rung) for rung in plan.rungs)
    assert first["CheckpointConfig"] == second["CheckpointConfig"]
    assert "VolumeKmsKeyId" not in first["ResourceConfig"]
    assert second["ResourceConfig"]["VolumeKmsKeyId"] == KEY
    create_job(account, second)
    assert service.requests()[-1].body == second
    assert_valid(second)


def test_the_sdk_says_nothing_on_stdout_and_leaves_logging_alone(
    account: Account, capfd: pytest.CaptureFixture[str]
) -> None:
    import logging

    root = logging.getLogger()
    before = (root.level, list(root.handlers), root.manager.disable)
    create_job(account, build_request(planned("--run", "quiet")))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert (root.level, list(root.handlers), root.manager.disable) == before


def test_settings_files_of_the_sdk_do_not_get_into_a_job(
    service: Service, account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    defaults = tmp_path / "config.yaml"
    defaults.write_text(
        "SchemaVersion: '1.0'\nSageMaker:\n  TrainingJob:\n    EnableNetworkIsolation: true\n"
        f"    VpcConfig: {{Subnets: [subnet-1], SecurityGroupIds: [sg-1]}}\n    RoleArn: {ROLE}-other\n"
    )
    monkeypatch.setenv("SAGEMAKER_USER_CONFIG_OVERRIDE", str(defaults))
    monkeypatch.setenv("SAGEMAKER_ADMIN_CONFIG_OVERRIDE", str(defaults))
    request = build_request(planned())
    create_job(account, request)
    assert service.requests("CreateTrainingJob")[-1].body == request


def test_nothing_is_sent_when_the_sdk_would_change_it(
    service: Service, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sagemaker.session import Session

    make = Session._get_train_request

    def with_a_default_of_its_own(*args: Any, **kwargs: Any) -> Request:
        return make(*args, **kwargs) | {"RetryStrategy": {"MaximumRetryAttempts": 1}}

    monkeypatch.setattr(Session, "_get_train_request", with_a_default_of_its_own)
    with pytest.raises(UserError, match="would send another RetryStrategy than was planned, so nothing is sent"):
        create_job(account, build_request(planned()))
    assert service.requests("CreateTrainingJob") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"TrainingJobName": "x" * 64}, "cannot name a job"),
        ({"TrainingJobName": "a_b"}, "cannot name a job"),
        ({"TrainingJobName": "a-"}, "cannot name a job"),
        ({"HyperParameters": {"config": "x" * 2501}}, "config has 2,501 characters and SageMaker takes 2,500"),
        ({"HyperParameters": {"k" * 257: "1"}}, "a name of 257 characters"),
        ({"HyperParameters": {"A.b": "1\n2"}}, "more than one line"),
        ({"HyperParameters": {f"A.{n}": "1" for n in range(101)}}, "101 hyperparameters and SageMaker takes 100"),
        ({"Environment": {f"A{n}": "1" for n in range(101)}}, "101 variables (--env) and SageMaker takes 100"),
        ({"Environment": {"1A": "1"}}, "begins with no digit"),
        ({"Environment": {"A": "x" * 513}}, "--env A has 513 characters"),
        ({"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]}, "51 tags and SageMaker takes 50"),
        ({"Tags": [{"Key": "aws:x", "Value": ""}]}, "AWS's own"),
        ({"Tags": [{"Key": "a", "Value": "x" * 257}]}, "values of up to 256"),
        ({"Tags": [{"Key": "a", "Value": "50%"}]}, "in a tag, and no '%' (U+0025)"),
        ({"Tags": [{"Key": "ทีม", "Value": "x"}]}, "and no '\u0e35' (U+0E35)"),
        ({"Tags": [{"Key": "a", "Value": "b\tc"}]}, "and no '\\t' (U+0009)"),
        ({"Tags": [{"Key": "", "Value": "x"}]}, "names of 1 to 128"),
    ],
)
def test_what_exceeds_a_limit_is_one_sentence(change: Request, words: str) -> None:
    with pytest.raises(UserError) as caught:
        check_request(build_request(planned()) | change)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_twenty_one_channels_are_one_too_many() -> None:
    channels = {f"c{n}": Input(S3Uri(BUCKET, f"data/{n}/")) for n in range(20)}
    assert_valid(build_request(planned(channels=channels)))
    channels["training"] = Input(S3Uri(BUCKET, "data/t/"))
    with pytest.raises(UserError, match="21 channels and SageMaker takes 20"):
        build_request(planned(channels=channels))


def test_an_address_that_is_too_long_for_s3_is_refused() -> None:
    long = {"training": Input(S3Uri(BUCKET, "x" * 1020 + "/"))}
    with pytest.raises(UserError, match="name a shorter --prefix"):
        build_request(planned(channels=long))
