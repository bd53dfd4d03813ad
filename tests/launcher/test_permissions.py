"""The one table of calls: it has every call of the source and no other, and docs/iam/ is made from it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from launcher.cloud.layout import S3Uri
from launcher.cloud.permissions import (
    ANYTHING,
    BOTO3,
    FOLDER,
    INPUTS,
    JOBS,
    OWNER,
    PASSED_ROLE,
    REPOSITORY,
    ROLE,
    RUNS,
    TABLE,
    USER,
    Names,
    Resource,
    as_text,
    documents,
    main,
    policy,
    trust_policy,
)
from launcher.cloud.probes.places import Places, places_like
from tests.launcher.running import ROOT

SOURCES = [*sorted((ROOT / "launcher").rglob("*.py")), *sorted((ROOT / "data_preparation").glob("s3*.py"))]
SERVICES = sorted({call.service for call in TABLE if call.by == BOTO3} | {"cloudwatch"})
# What boto3 adds to the operations of S3, and what it makes of them.
TRANSFERS = {
    "upload_file": ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    "download_file": ("HeadObject", "GetObject"),
}
# Names of AWS that other things have too.
NOT_AWS = {"search"}  # of patterns; SageMaker has one too
NAMES = Names("123456789012", "eu-west-1", "data-1", "ocr", "exec", "images")


def operations() -> dict[str, set[str]]:
    """boto3's method names: the operations that they may be."""
    found: dict[str, set[str]] = {}
    session = botocore.session.get_session()
    for service in SERVICES:
        for operation in session.get_service_model(service).operation_names:
            found.setdefault(xform_name(operation), set()).add(operation)
    return found


def called(path: Path, methods: dict[str, set[str]]) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Every call of a client in a file: method, operations, line. Paginators, waiters and names in tuples too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = ""
        if isinstance(node, ast.Attribute):
            name = node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
        if name in TRANSFERS and isinstance(node, ast.Attribute):
            yield name, TRANSFERS[name], node.lineno
        elif name in methods and name not in NOT_AWS:
            yield name, tuple(methods[name]), node.lineno


def test_every_call_of_the_source_is_in_the_table() -> None:
    methods = operations()
    known = {call.operation for call in TABLE}
    strange = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in SOURCES
        for name, possible, line in called(path, methods)
        if not known.intersection(possible)
    ]
    assert strange == []


def test_every_call_of_the_table_is_in_the_source() -> None:
    methods = operations()
    made = {operation for path in SOURCES for _, possible, _ in called(path, methods) for operation in possible}
    assert sorted({call.operation for call in TABLE if call.by == BOTO3} - made) == []


def test_the_scan_sees_calls(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text(
        "client.delete_object(Bucket='b')\nfor p in client.get_paginator('list_objects').paginate(): pass\n"
    )
    assert [name for name, *_ in called(file, operations())] == ["delete_object", "list_objects"]


@pytest.mark.parametrize("name", sorted(documents()))
def test_the_files_are_those_of_the_table(name: str) -> None:
    assert (ROOT / "docs/iam" / name).read_text(encoding="utf-8") == as_text(documents()[name]), "run `make docs`"


def test_the_folder_has_no_other_policy(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in (ROOT / "docs/iam").glob("*.json")}


@pytest.mark.parametrize("who", [USER, OWNER, ROLE])
def test_policies_allow_no_more_than_they_name(who: str) -> None:
    everything = {"sagemaker:ListTrainingJobs", "ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"}
    everything |= {"sts:GetCallerIdentity", "pricing:GetProducts"}
    everything |= {"servicequotas:ListServiceQuotas", "servicequotas:ListAWSDefaultServiceQuotas"}
    sids = [statement["Sid"] for statement in policy(who)["Statement"]]
    assert len(set(sids)) == len(sids)
    for statement in policy(who)["Statement"]:
        assert statement["Effect"] == "Allow"
        assert not [action for action in statement["Action"] if "*" in action]
        if statement["Resource"] == "*":
            assert set(statement["Action"]) <= everything


def test_names_take_the_place_of_placeholders() -> None:
    text = json.dumps([policy(who, NAMES) for who in (USER, OWNER, ROLE)] + [trust_policy(NAMES)])
    for placeholder in ("ACCOUNT", "REGION", "BUCKET", "PREFIX", "REPOSITORY", "ROLE"):
        assert placeholder not in text
    assert '"arn:aws:s3:::data-1/ocr/runs/*"' in text
    assert '"arn:aws:iam::123456789012:role/exec"' in text
    whole_bucket = json.dumps(policy(ROLE, Names("1", "eu-west-1", "data-1", "", "exec", "images")))
    assert '"arn:aws:s3:::data-1/runs/*"' in whole_bucket
    assert '{"s3:prefix": "*"}' in whole_bucket
    china = json.dumps(policy(ROLE, Names("1", "cn-north-1", "b", "p", "r", "i")))
    assert '"arn:aws-cn:s3:::b' in china
    assert '"arn:aws:' not in china


def test_iam_is_asked_about_what_the_job_touches() -> None:
    image = f"999999999999.dkr.ecr.eu-west-1.amazonaws.com/theirs@sha256:{'0a' * 32}"
    reads, writes = (S3Uri("data-1", "ocr/d/"), S3Uri("data-2", "w/")), (S3Uri("models", "runs/r/output/"),)
    places = Places("r-261122100000", "arn:aws:iam::123456789012:role/team/exec", reads, writes, (image,))

    def asked(resource: Resource, places: Places = places) -> list[tuple[str, bool]]:
        return [(place.arn, place.is_real) for place in places_like(resource, NAMES, places)]

    assert asked(JOBS) == [("arn:aws:sagemaker:eu-west-1:123456789012:training-job/r-261122100000", True)]
    assert asked(PASSED_ROLE) == [("arn:aws:iam::123456789012:role/team/exec", True)]
    assert asked(REPOSITORY) == [("arn:aws:ecr:eu-west-1:999999999999:repository/theirs", True)]
    assert asked(RUNS) == [("arn:aws:s3:::models/runs/r/output/x", True)]
    assert [arn for arn, _ in asked(INPUTS)] == [
        "arn:aws:s3:::data-1/ocr/d/x",
        "arn:aws:s3:::data-2/w/x",
        "arn:aws:s3:::models/runs/r/output/x",
    ]
    folders = places_like(FOLDER, NAMES, places)
    assert [place.context for place in folders] == [(("s3:prefix", uri.key),) for uri in (*reads, *writes)]
    assert asked(JOBS, Places()) == [("arn:aws:sagemaker:eu-west-1:123456789012:training-job/x", False)]
    assert asked(ANYTHING) == [("*", True)]


def test_a_role_with_only_its_bucket_passes_for_sagemaker_alone() -> None:
    (passed,) = [each for each in policy(USER)["Statement"] if "iam:PassRole" in each["Action"]]
    assert passed["Resource"] == "arn:aws:iam::ACCOUNT:role/ROLE"
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    assert trust_policy(NAMES)["Statement"][0]["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
