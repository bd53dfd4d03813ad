"""What is decided about a run on SageMaker, and refused, before AWS hears of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contract.errors import UserError
from contract.fitting import Figures
from contract.recipe import CONFIGS, load_recipe
from launcher.cloud.job import current_job
from launcher.cloud.layout import (
    RunLayout,
    S3Uri,
    check_bucket,
    check_key,
    is_job_name,
    job_name,
    job_stem,
    parse_s3_uri,
    run_layout,
)
from launcher.cloud.plan import CloudPlan, Input, RecipeChoice, plan_cloud_run
from launcher.cloud.plan_text import describe_plan, plan_as_json
from launcher.cloud.prices import FALLBACK, Price
from launcher.cloud.repeat import read_settings
from launcher.cloud.request import build_request
from launcher.settings import load_settings, show_config
from tests.launcher.cloud_plans import (
    BUCKET,
    DATASET,
    IMAGE,
    REGION,
    ROLE,
    cloud_settings,
    earlier_job,
    facts,
    planned,
)
from tests.launcher.running import RECIPE


# ---------------------------------------------------------------- names and places
def test_a_run_has_its_places() -> None:
    layout = run_layout(BUCKET, "lines", "team/ocr/")
    assert str(layout.dataset("words", "c0ffee")) == f"s3://{BUCKET}/team/ocr/datasets/words/c0ffee/"
    assert str(layout.files("own.yml", "c0ffee")) == f"s3://{BUCKET}/team/ocr/files/own.yml/c0ffee/"
    assert str(layout.checkpoints) == f"s3://{BUCKET}/team/ocr/runs/lines/checkpoints/"
    assert str(layout.model("lines-1")) == f"s3://{BUCKET}/team/ocr/runs/lines/output/lines-1/output/model.tar.gz"
    assert str(run_layout(BUCKET, "lines", "").home) == f"s3://{BUCKET}/runs/lines/"
    assert str(run_layout(BUCKET, "lines", "ocr", S3Uri("models", "all")).home) == "s3://models/all/lines/"


def test_folders_end_with_a_slash_so_that_run_1_is_not_run_10() -> None:
    one, ten = (run_layout(BUCKET, run).checkpoints for run in ("run-1", "run-10"))
    assert not one.holds(ten)
    assert not str(ten).startswith(str(one))
    assert S3Uri("b", "a").holds(S3Uri("b", "a/b/"))
    assert not S3Uri("b", "a").holds(S3Uri("b", "ab"))
    assert not S3Uri("b", "a").holds(S3Uri("c", "a"))


@pytest.mark.parametrize(
    ("run", "stem"),
    [("lines", "lines"), ("a_b.c", "a-b-c"), ("a.-_b", "a-b"), ("x" * 63, "x" * 50), ("x" * 49 + "_y", "x" * 49)],
)
def test_names_of_jobs(run: str, stem: str) -> None:
    first = job_name(run, 1)
    assert first.startswith(f"{job_stem(run)}-001")
    assert job_stem(run) == stem
    assert len(first) <= 63
    assert is_job_name(first, run)
    assert is_job_name(first)
    assert not is_job_name(first, "other")


def test_whoever_sees_the_same_jobs_makes_the_same_name_and_nobody_else_does() -> None:
    assert planned().job == planned().job == job_name("lines", 1)
    assert job_name("a_b", 1) != job_name("a.b", 1)  # the same stem
    earlier = earlier_job("Failed")
    second = planned(jobs=(earlier,))
    assert second.job == job_name("lines", 2, earlier.name) != job_name("lines", 2, "lines-0")


def test_addresses_in_s3() -> None:
    assert parse_s3_uri("s3://my-bucket/a/b", "--dataset") == S3Uri("my-bucket", "a/b/")
    assert parse_s3_uri("s3://my-bucket", "--dataset") == S3Uri("my-bucket", "")
    for text, words in (
        ("my-bucket/a", "write an address in S3"),
        ("s3://", "write an address in S3"),
        ("s3://My_Bucket/a", "a bucket's name has 3 to 63"),
        ("s3://my-bucket/a//b", "one / between them"),
        ("s3://my-bucket/a/../b", "none . or .."),
        ("s3://my-bucket/ก", "a–z, A–Z, 0–9"),
        ("s3://my-bucket/" + "x" * 1010, "at most 1024 characters"),
    ):
        with pytest.raises(UserError) as caught:
            parse_s3_uri(text, "--dataset")
        assert str(caught.value).startswith("--dataset")
        assert words in str(caught.value)
    assert check_bucket("my.bucket") == "my.bucket"
    assert check_key("a/b") == "a/b"
    for bucket in ("ab", "a..b", "-ab", "A-b", "x" * 64):
        with pytest.raises(UserError, match="--bucket"):
            check_bucket(bucket)


# ---------------------------------------------------------------- settings
def test_a_whole_command_is_one_flag_once_the_file_names_the_rest(tmp_path: Path) -> None:
    (tmp_path / "launcher.yml").write_text(
        "dataset: words\nbucket: my-bucket\nrole: ocr-train-exec\nspot: true\nmax_run: 12h\n"
        "subnets: [subnet-1, subnet-2]\nsecurity_groups: sg-1\ntags: {team: ocr}\nnetwork_isolation: false\n"
    )
    wanted = load_settings(["--instance", "ml.g4dn.xlarge", "--tags", "owner=me"], {}, tmp_path).cloud
    assert wanted is not None
    assert (wanted.spot, wanted.max_run_s, wanted.network_isolation) == (True, 43200, False)
    assert (wanted.subnets, wanted.security_groups) == (("subnet-1", "subnet-2"), ("sg-1",))
    assert wanted.tags == (("team", "ocr"), ("owner", "me"))
    assert load_settings(["--instance", "ml.g4dn.xlarge", "--no-spot"], {}, tmp_path).cloud.spot is False
    assert load_settings(["--instance", "ml.g4dn.xlarge"], {"OCR_SPOT": "false"}, tmp_path).cloud.spot is False
    assert load_settings(["--instance", "process"], {}, tmp_path).cloud is None


def test_a_folder_and_an_address_are_told_apart() -> None:
    here = cloud_settings("--output", "out")
    assert here.dataset == Path("/nowhere/words")
    assert here.output == Path("/nowhere/out")
    there = cloud_settings("--dataset", "s3://data/words", "--output", "s3://models/all", "--validation", "s3://data/v")
    assert there.dataset is None
    assert there.output == Path("/nowhere/output")  # where `download` brings the model
    assert there.cloud.dataset == S3Uri("data", "words/")
    assert there.cloud.runs == S3Uri("models", "all/")
    assert there.cloud.validation == S3Uri("data", "v/")


def test_show_config_has_the_flags_for_sagemaker() -> None:
    shown = json.loads(show_config(cloud_settings("--spot", "--json")))
    assert shown["spot"] == {"value": "true", "origin": "flag --spot"}
    assert shown["max_run"] == {"value": "1d", "origin": "built-in"}
    assert shown["bucket"] == {"value": BUCKET, "origin": "flag --bucket"}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--instance", "ml.g4dn"], "--instance ml.g4dn: SageMaker's types look like ml.g4dn.xlarge"),
        (["--instance", "ml.g4dn.xlarge,process"], "name either ml types, or process alone"),
        (
            ["--instance", "ml.g4dn.xlarge,ml.trn1.2xlarge"],
            "--instance ml.trn1.2xlarge: it computes with AWS's own chips",
        ),
        (["--instance", "ml.inf2.xlarge"], "which PaddlePaddle cannot use"),
        (["--bucket", "my-bucket/ocr"], "the folder in it with --prefix"),
        (["--instance-count", "0"], "--instance-count is a whole number from 1"),
        (["--instance-count", "two"], "--instance-count is a whole number from 1"),
        (["--volume-size", "1.5"], "--volume-size is a whole number from 1"),
        (["--max-run", "12"], "--max-run: a duration is a number and s, m, h or d"),
        (["--max-run", "0.1s"], "--max-run 0.1s: give at least a second"),
        (["--max-wait", "long"], "--max-wait: a duration"),
        (["--max-cost", "five"], "--max-cost is an amount of US dollars"),
        (["--max-cost", "0"], "--max-cost is an amount of US dollars"),
        (["--bucket", "My_Bucket"], "--bucket My_Bucket: a bucket's name"),
        (["--prefix", "a//b"], "--prefix a//b: name folders"),
        (["--checkpoint-uri", "/some/folder"], "--checkpoint-uri /some/folder: write an address in S3"),
        (["--dataset", "s3://UPPER/x"], "--dataset UPPER: a bucket's name"),
        (["--tags", "team"], "--tags 'team': write it as KEY=VALUE"),
    ],
)
def test_a_wrong_flag_is_one_sentence(flags: list[str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        cloud_settings(*flags)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_switch_in_the_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "launcher.yml").write_text("spot: maybe\n")
    with pytest.raises(UserError, match="--spot is true or false, not 'maybe'"):
        cloud_settings(folder=tmp_path)


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--spot", "--checkpoint-uri", "none"], "Spot without checkpoints starts over"),
        (["--spot", "--max-run", "2h", "--max-wait", "1h"], "--max-wait 1h is shorter than --max-run 2h"),
        (["--spot", "--max-run", "20d", "--max-wait", "31d"], "for at most 30d"),
        (["--max-run", "29d"], "for at most 28d"),
        (["--keep-alive", "7h"], "for at most 6h"),
        (["--keep-alive", "1h", "--spot"], "--keep-alive is not possible with Spot"),
        (["--subnets", "subnet-1"], "--subnets without --security-groups"),
        (["--security-groups", "sg-1"], "--security-groups without --subnets"),
        (["--subnets", "subnet 1", "--security-groups", "sg-1"], "an ID looks like subnet-"),
        (["--subnets", "subnet-1", "--security-groups", "a,b,c,d,e,f"], "at most 5, not 6"),
        (["--kms-key", "my key"], "--kms-key my key: give a key's ID or ARN"),
        (["--env", "AWS_SECRET_ACCESS_KEY=x"], "AWS_SECRET_ACCESS_KEY looks like a secret"),
        (["--env", "hf_token=x"], "hf_token looks like a secret"),
        (["--env", "DB_PASSWORD=x"], "DB_PASSWORD looks like a secret"),
        (["--env", "APIKEY=x"], "APIKEY looks like a secret"),
        (["--env", "INDEX=https://me:pass@host/simple"], "INDEX holds a password or a key"),
        (["--env", "ID=AKIAIOSFODNN7EXAMPLE"], "ID holds a password or a key"),
        (["--env", "SAGEMAKER_BASE_DIR=/x"], "set by the platform"),
        (["--epochs", "3", "-o", "Global.epochnum=3"], "epochnum"),
        (["--max-cost", "0.01"], "buys no training on 1 × ml.g4dn.xlarge"),
        (["--image-uri", "ocr:latest"], "is no image in ECR"),
        (
            ["--image-uri", IMAGE.replace(REGION, "us-west-2")],
            f"is in us-west-2 and the job in {REGION}",
        ),
        (["--checkpoint-uri", f"s3://{BUCKET}/ocr/runs/other/checkpoints"], "lies in the folder of the run other"),
        (["--checkpoint-uri", f"s3://{BUCKET}/ocr/runs/line/checkpoints"], "lies in the folder of the run line"),
        (["--checkpoint-uri", f"s3://{BUCKET}/ocr/runs"], "would mix checkpoints with the output folder"),
        (["--checkpoint-uri", f"s3://{BUCKET}"], "would mix checkpoints with the output folder"),
        (["--checkpoint-uri", f"s3://{BUCKET}/ocr/runs/lines/output/x"], "would mix checkpoints with the output"),
        (["--checkpoint-uri", f"s3://{BUCKET}/ocr/datasets"], "would mix checkpoints with the training folder"),
        (["--resume", "lines"], "there is no run 'lines' on SageMaker in ap-southeast-1"),
    ],
)
def test_what_would_waste_money_or_data_is_refused_in_one_sentence(flags: list[str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        planned(*flags)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["TOKENIZERS_PARALLELISM", "KEYBOARD", "FLAGS_use_mkldnn", "SECRETARY", "PWD_SIZE"])
def test_names_that_are_no_secrets(name: str) -> None:
    assert planned("--env", f"{name}=1").environment == {name: "1"}


def test_a_role_that_is_no_arn_is_refused() -> None:
    with pytest.raises(UserError, match="a role's ARN looks like"):
        planned(role="arn:aws:iam::1234:role/x")
    assert planned(role="arn:aws-cn:iam::123456789012:role/service-role/x+y").role.endswith("x+y")


@pytest.mark.parametrize("price", [None, Price(7.0, "CNY", "AWS Pricing API", "2026-11-01", "cn-north-1")])
def test_a_limit_of_money_needs_a_price_in_dollars(price: Price | None) -> None:
    with pytest.raises(UserError, match="give --max-run"):
        planned("--max-cost", "5", prices={"ml.g4dn.xlarge": price} if price else {})


def test_the_least_that_max_cost_takes_is_named_and_works() -> None:
    with pytest.raises(UserError) as caught:
        planned("--max-cost", "0.01", "--instance-count", "2", "--keep-alive", "10m")
    least = str(caught.value).partition("at least $")[2].partition(",")[0]
    plan = planned("--max-cost", least, "--instance-count", "2", "--keep-alive", "10m")
    assert plan.rungs[0].max_run_s >= 600


@pytest.mark.parametrize("flags", [(), ("--spot",), ("--keep-alive", "1h"), ("--instance-count", "3")])
def test_no_job_costs_more_than_max_cost(flags: tuple[str, ...]) -> None:
    plan = planned("--max-cost", "9", *flags)
    most = plan.cost_at_most(plan.rungs[0])
    assert most is not None
    assert 8.99 < most.high <= 9


def test_what_a_submission_lacks_is_listed_and_the_plan_is_shown_all_the_same() -> None:
    plan = planned("--processes", "2", role="", images={}, unpushed={"ml.g4dn.xlarge": "no image: run `make push`"})
    assert [obstacle.partition(":")[0] for obstacle in plan.obstacles] == [
        "there is no execution role",
        "no image",
        "--processes 2",
    ]
    request = build_request(plan)
    assert "RoleArn" not in request
    assert "TrainingImage" not in request["AlgorithmSpecification"]
    assert describe_plan(plan).count("\nmissing ") == 3
    assert plan_as_json(plan)["missing"] == list(plan.obstacles)


# ---------------------------------------------------------------- a run that has jobs already
def test_a_new_job_of_a_run_continues_from_its_checkpoints() -> None:
    elsewhere = {"CheckpointConfig": {"S3Uri": "s3://scratch/lines/"}}
    plan = planned("--epochs", "80", jobs=(earlier_job("Stopped", **elsewhere),))
    assert plan.start == "continues after lines-261121100000 (Stopped; epochs default → 80)"
    assert plan.checkpoints == S3Uri("scratch", "lines/")  # where the run has been, not where a new one would be
    assert plan.finished is None


def test_starting_over_takes_another_folder_and_deletes_nothing() -> None:
    plan = planned("--fresh", jobs=(earlier_job(),))
    assert plan.checkpoints == S3Uri(BUCKET, "ocr/runs/lines/checkpoints-261122100000/")
    assert plan.start == f"starts over; the earlier checkpoints stay in s3://{BUCKET}/ocr/runs/lines/checkpoints/"
    # SageMaker may have forgotten the jobs, and S3 does not forget
    assert planned("--fresh").checkpoints == plan.checkpoints
    found = planned(found_step=40)
    assert found.start == f"new to SageMaker, continues from step 40 in s3://{BUCKET}/ocr/runs/lines/checkpoints/"
    assert planned("--fresh", found_step=40).start == "new"
    with pytest.raises(UserError, match="--fresh would continue from the checkpoints"):
        planned("--fresh", "--checkpoint-uri", f"s3://{BUCKET}/ocr/runs/lines/checkpoints", jobs=(earlier_job(),))


def test_a_run_that_has_done_all_this_is_finished() -> None:
    job = earlier_job()
    assert planned(jobs=(job,)).finished == job
    assert planned("--epochs", "80", jobs=(job,)).finished is None
    assert planned(jobs=(earlier_job("Failed"), job)).finished == job
    assert planned(jobs=(job, earlier_job("Failed"))).finished is None
    other = {"training": Input(S3Uri(BUCKET, "ocr/datasets/words/other/"))}
    assert planned(jobs=(job,), channels=other).finished is None
    assert planned("--fresh", jobs=(job,)).finished is None


def test_a_run_that_goes_on_with_other_data_says_so() -> None:
    other = {"training": Input(S3Uri(BUCKET, "ocr/datasets/words/other/"))}
    start = planned(jobs=(earlier_job(),), channels=other).start
    assert f"training {DATASET.uri} → s3://{BUCKET}/ocr/datasets/words/other/" in start


def test_an_older_job_that_still_runs_is_the_one_that_matters() -> None:
    older, newest = earlier_job("InProgress"), earlier_job("Failed")
    assert current_job((older, newest)) == older
    assert "is running: it will be followed" in planned(jobs=(older, newest)).start
    with pytest.raises(UserError, match="is still running: stop it first"):
        planned("--fresh", jobs=(older, newest))
    assert current_job((earlier_job("Deleting"), newest)) == newest


@pytest.mark.parametrize(
    ("status", "flags", "words"),
    [
        ("Stopping", (), "is still saving and stopping: try again in some minutes"),
        ("Stopping", ("--resume", "lines"), "is still saving and stopping"),
        ("InProgress", ("--fresh",), "is still running: stop it first with `python -m launcher stop lines`"),
    ],
)
def test_a_job_that_is_not_over_is_waited_for(status: str, flags: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError) as caught:
        planned(*flags, jobs=(earlier_job(status),))
    assert words in str(caught.value)


def test_a_dry_run_of_a_running_run_says_that_it_would_be_followed() -> None:
    assert "will be followed, nothing is submitted" in planned(jobs=(earlier_job("InProgress"),)).start


def test_without_an_answer_of_aws_a_run_may_exist_or_not() -> None:
    assert planned("--resume", "lines", jobs=None).start == "new"


# ---------------------------------------------------------------- what people and programs read
def test_every_number_is_in_the_text() -> None:
    text = describe_plan(planned("--spot", "--instance", "ml.g4dn.xlarge,ml.p3.2xlarge", "--epochs", "3"))
    rows = {line[:12].strip(): line[13:] for line in text.splitlines()}
    assert rows["run"] == "lines: new"
    assert rows["where"].startswith("ml.g4dn.xlarge (1 × T4 with 16 GiB")
    assert "Spot, at most 2d with waiting, at most 1d of training" in rows["where"]
    assert "31 GB volume" in rows["then"]
    assert "$7.25 to $12.08 with Spot" in text
    assert "never over $24.17" in text
    assert rows["training"] == f"{DATASET.source} → {DATASET.uri} (313 MB)"
    assert rows["settings"] == "epochs=3"
    assert max(map(len, rows)) <= 12


def test_a_plan_says_what_the_job_will_train_with() -> None:
    name = "rec/rec_mv3_none_bilstm_ctc.yml"
    crnn = RecipeChoice(name, load_recipe(CONFIGS / name), name)

    def expected(*flags: str, **changed: Any) -> str:
        return str(planned(*flags, recipe=crnn, **changed).rungs[0].expected)

    assert expected() == "batch up to 256, float16, 3 workers (decided in the job)"
    counted = {"data": Figures(train=1000, val=100, classes=97)}
    assert expected(**counted) == "batch 48, float16, 3 workers (decided in the job)"
    assert expected("--batch-size", "64", "--amp", "off") == "batch 64, float32, 3 workers (decided in the job)"
    several = "batch up to 256, bfloat16, 11 workers, in each of 4 processes (decided in the job)"
    assert expected("--instance", "ml.g5.12xlarge") == several
    assert expected("--instance", "ml.m5.large") == "batch up to 32, float32, 1 worker (decided in the job)"
    assert planned("--instance", "ml.g9.xlarge").rungs[0].expected is None, "not in the table"
    assert "\ntrains with  batch up to 16, float16, 3 workers (decided in the job)\n" in describe_plan(planned())
    with pytest.raises(UserError, match="amp=bf16 is not for this GPU"):
        planned("--amp", "bf16")


def test_notes_say_what_does_nothing_or_costs_time() -> None:
    def notes(*flags: str, **changed: Any) -> str:
        return "\n".join(planned(*flags, **changed).notes)

    assert notes() == ""
    assert "--volume-size does nothing on ml.g4dn.xlarge: its disk has 125 GB" in notes("--volume-size", "80")
    assert "ml.m5.large has no GPU" in notes("--instance", "ml.m5.large")
    assert "not in this version's table" in notes("--instance", "ml.g9.xlarge")
    assert "--max-wait does nothing without --spot" in notes("--max-wait", "2d")
    assert "each interruption repeats up to 60 minutes" in notes("--spot", "--save-minutes", "60")
    assert "--max-cost $5.00 ends the job on ml.g4dn.xlarge after 4h50m" in notes("--max-cost", "5")
    assert "has dots" in notes("--bucket", "my.bucket")
    assert "ml.g4dn.xlarge: a batch of 65536 may not fit into" in notes("--batch-size", "65536")


def test_the_plan_is_a_pure_function() -> None:
    assert planned() == planned()
    assert build_request(planned()) == build_request(planned())


# ---------------------------------------------------------------- a price of another region, a key for the volume
def test_a_price_of_another_region_is_doubled_for_a_bound() -> None:
    known = Price(0.7364, "USD", FALLBACK, "2026-11-22", "us-east-1", "the Pricing API answers AccessDenied")
    prices, same = {"ml.g4dn.xlarge": known}, {"ml.g4dn.xlarge": replace(known, region=REGION)}
    dear, exact = planned("--max-cost", "5", prices=prices), planned("--max-cost", "5", prices=same)
    around_s = 600  # what is billed beside the training
    assert (dear.rungs[0].max_run_s + around_s) * 2 == pytest.approx(exact.rungs[0].max_run_s + around_s, abs=2)
    most = dear.cost_at_most(dear.rungs[0])
    assert most is not None
    assert 4.99 < most.high <= 5
    assert dear.rungs[0].price == known
    text = describe_plan(dear)
    assert "cost         $2.50, if it takes all its time, and never over $5.00: $0.7364/h on demand (fallback" in text
    assert "reckoned with twice the price of us-east-1" in text
    assert "reckoned with" not in describe_plan(exact)


@pytest.mark.parametrize(
    ("instance", "key"),
    [
        ("ml.c5n.9xlarge", "arn:the-key"),
        ("ml.m7i-flex.large", "arn:the-key"),
        ("ml.t3.medium", "arn:the-key"),
        ("ml.g4dn.xlarge", ""),
        ("ml.g7e.2xlarge", ""),
    ],
)
def test_the_volume_gets_the_key_behind_the_alias(instance: str, key: str) -> None:
    plan = planned("--instance", instance, "--kms-key", "alias/ocr", volume_key="arn:the-key")
    assert plan.rungs[0].volume_key == key
    assert plan.kms_key == "alias/ocr"


def test_a_volume_of_which_nothing_is_known_is_not_left_without_the_key() -> None:
    with pytest.raises(UserError, match=r"whether .* has a volume that takes a key"):
        planned("--instance", "ml.zz9.large", "--kms-key", "alias/ocr")
    assert planned("--instance", "ml.zz9.large").rungs[0].volume_key == ""


# ---------------------------------------------------------------- --from-job
def described(plan: CloudPlan) -> dict[str, Any]:
    """What DescribeTrainingJob says of the job of a plan; tags are not in it."""
    return {key: value for key, value in build_request(plan).items() if key != "Tags"}


FLAGS = (
    (),
    (
        "--spot",
        "--max-run",
        "90m",
        "--max-wait",
        "3h",
        "--epochs",
        "3",
        "-o",
        "Optimizer.lr.name=Const",
        "--env",
        "A=b=c",
    ),
    ("--instance", "ml.p3.2xlarge", "--volume-size", "77", "--kms-key", "alias/ocr", "--network-isolation"),
    ("--subnets", "s-1,s-2", "--security-groups", "g-1", "--keep-alive", "30m", "--instance-count", "2"),
    ("--checkpoint-uri", "none", "--prefix", "team/ocr"),
    ("--output", "s3://models/all"),
)


@pytest.mark.parametrize("flags", FLAGS)
def test_a_repeated_job_is_the_same_job_under_another_name(flags: tuple[str, ...], tmp_path: Path) -> None:
    channels = {
        "training": DATASET,
        "validation": Input(S3Uri(BUCKET, "ocr/v/")),
        "pretrained": Input(S3Uri(BUCKET, "ocr/p/")),
    }
    plan = planned(*flags, channels=channels)
    # launcher.yml and the environment say how other jobs train
    (tmp_path / "launcher.yml").write_text(
        "dataset: other\nepochs: 99\nvalidation: x\noverride: {Global.seed: 7}\nspot: true\nenv: {X: y}\n"
        "bucket: wrong\n"
    )
    environment = {"OCR_BATCH_SIZE": "1", "OCR_MAX_RUN": "1h"}
    argv = ["--from-job", plan.job, "--run", "again"]
    settings = load_settings(argv, environment, tmp_path, read_settings(described(plan)))
    assert settings.cloud is not None
    assert settings.cloud.dataset == DATASET.uri
    again = plan_cloud_run(settings, facts(settings, channels=channels))
    request, before = build_request(again), build_request(plan)
    assert request["HyperParameters"].pop("run_id") == "again"
    assert before["HyperParameters"].pop("run_id") == "lines"
    moved = ("TrainingJobName", "Tags", "OutputDataConfig", "CheckpointConfig")
    assert {key: request[key] for key in request if key not in moved} == {
        key: before[key] for key in before if key not in moved
    }
    assert request["OutputDataConfig"]["S3OutputPath"] == before["OutputDataConfig"]["S3OutputPath"].replace(
        "lines", "again"
    )
    assert ("CheckpointConfig" in request) == ("CheckpointConfig" in before)


def test_flags_win_over_a_repeated_job(tmp_path: Path) -> None:
    job = read_settings(
        described(planned("--epochs", "3", "--spot", "-o", "Global.seed=1", "-o", "Global.log_smooth_window=7"))
    )
    argv = ["--from-job", "x", "--epochs", "9", "--no-spot", "-o", "Global.seed=2", "--instance", "ml.g5.xlarge"]
    settings = load_settings(argv, {}, tmp_path, job)
    assert dict(settings.hyperparameters) == {"epochs": "9"}
    assert dict(settings.overrides) == {"Global.seed": "2", "Global.log_smooth_window": "7"}
    assert settings.cloud is not None
    assert (settings.cloud.spot, settings.cloud.instances) == (False, ("ml.g5.xlarge",))
    assert settings.run != "lines"


def test_a_repeated_recipe_of_ones_own_lies_in_s3(tmp_path: Path) -> None:
    own = RecipeChoice("/opt/ml/input/data/recipe/own.yml", load_recipe(CONFIGS / RECIPE), "own.yml")
    plan = planned(recipe=own, channels={"training": DATASET, "recipe": Input(S3Uri(BUCKET, "ocr/files/0a/"))})
    settings = load_settings(["--from-job", "x"], {}, tmp_path, read_settings(described(plan)))
    assert settings.config == f"s3://{BUCKET}/ocr/files/0a/own.yml"


@pytest.mark.parametrize(
    "change", [{"HyperParameters": {}}, {"HyperParameters": {"run_id": "x"}}, {"InputDataConfig": []}]
)
def test_a_job_of_somebody_else_is_not_repeated(change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="this launcher did not start it"):
        read_settings(described(planned()) | change)


def test_the_layout_is_plain_data() -> None:
    assert run_layout(BUCKET, "r") == RunLayout(S3Uri(BUCKET, "ocr/"), S3Uri(BUCKET, "ocr/runs/"), "r")
    assert ROLE in build_request(planned())["RoleArn"]
