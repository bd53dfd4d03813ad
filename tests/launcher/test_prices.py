"""What an hour costs and where the number comes from; what is in an instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from launcher.aws import open_account
from launcher.cloud import prices
from launcher.cloud.instances import has_own_disk, instance_facts, sagemaker_types, table
from launcher.cloud.job import read_job
from launcher.cloud.prices import API, FALLBACK, TABLE, Price, cost_of, money, price_of, seconds_for
from launcher.cloud.probes.quota import request_link
from launcher.watch import console_address
from tests.launcher.an_account import ACCOUNT, REGION, AnAccount, an_account
from tests.service import DENIED, SERVER_ERROR


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnAccount]:
    with an_account(monkeypatch, tmp_path, prices={("ml.g4dn.xlarge", REGION): 0.93}) as found:
        yield found


# ---------------------------------------------------------------- prices
def test_the_pricing_api_is_asked_once_about_training_in_this_region(account: AnAccount) -> None:
    opened = open_account()
    price = price_of(opened, "ml.g4dn.xlarge", REGION)
    assert price == Price(0.93, "USD", API, "2026-11-01", REGION)
    assert str(price) == f"$0.9300/h on demand (AWS Pricing API of 2026-11-01 for {REGION})"
    assert price_of(opened, "ml.g4dn.xlarge", REGION) is price
    (request,) = account.service.requests("GetProducts")
    assert request.region == "us-east-1"
    filters = {each["Field"]: each["Value"] for each in request.body["Filters"]}
    assert filters == {"regionCode": REGION, "usagetype": "Train:ml.g4dn.xlarge"}
    assert price_of(opened, "ml.g4dn.xlarge", "us-east-1").per_hour == 0.7364


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (DENIED, "the Pricing API answers AccessDeniedException"),
        (SERVER_ERROR, "the Pricing API answers InternalFailure"),
    ],
)
def test_without_the_api_a_dated_table_answers_and_says_so(account: AnAccount, refusal: object, why: str) -> None:
    account.service.fail("GetProducts", refusal)
    price = price_of(open_account(), "ml.g4dn.xlarge", REGION)
    assert (price.per_hour, price.source, price.region, price.note) == (0.7364, FALLBACK, "us-east-1", why)
    assert str(price) == f"$0.7364/h on demand (fallback table of {price.dated} for us-east-1, because {why})"
    assert price_of(open_account(), "ml.m8i.large", REGION) is None


def test_an_instance_that_the_api_does_not_list(account: AnAccount) -> None:
    price = price_of(open_account(), "ml.g6e.xlarge", REGION)
    assert price.is_fallback
    assert f"has none for ml.g6e.xlarge in {REGION}" in price.note
    assert price_of(None, "ml.g5.xlarge", REGION).note == "AWS could not be asked"


def test_of_several_prices_the_bound_is_the_highest(account: AnAccount) -> None:
    answer = [
        {
            "product": {"attributes": {"usagetype": "APS1-Train:ml.g4dn.xlarge", "regionCode": REGION}},
            "terms": {"OnDemand": {"x": {"priceDimensions": {"y": {"pricePerUnit": {"USD": each}}}}}},
        }
        for each in ("0.5", "0.9", "0.7")
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prices, "_products", lambda *_: answer)
        assert price_of(open_account(), "ml.g4dn.xlarge", REGION).per_hour == 0.9


def test_each_part_of_aws_has_a_console_and_prices_of_its_own(account: AnAccount) -> None:
    opened = open_account()
    assert price_of(opened, "ml.g5.xlarge", "us-gov-west-1").note == "this part of AWS has no Pricing API"
    assert account.service.requests("GetProducts") == []
    assert request_link("us-gov-west-1").startswith("https://us-gov-west-1.console.amazonaws-us-gov.com/servicequotas/")
    assert request_link("cn-north-1").startswith("https://cn-north-1.console.amazonaws.cn/")
    job = read_job(
        {"TrainingJobName": "j", "TrainingJobArn": f"arn:aws-cn:sagemaker:cn-north-1:{ACCOUNT}:training-job/j"}
    )
    assert console_address(job).startswith("https://cn-north-1.console.amazonaws.cn/sagemaker/")


def test_costs() -> None:
    price = Price(0.7364, "USD", API, "2026-11-01", REGION)
    assert str(cost_of(price, 12 * 3600)) == "$8.84"
    assert str(cost_of(price, 3600, 2)) == "$1.47"
    spot = cost_of(price, 12 * 3600, spot=True)
    assert (round(spot.low, 4), round(spot.high, 4)) == (2.6510, 4.4184)
    assert str(spot) == "$2.65 to $4.42"
    assert cost_of(price, seconds_for(price, 5)).high == pytest.approx(5, abs=0.001)
    assert seconds_for(price, 5, 2) == pytest.approx(seconds_for(price, 5) / 2, abs=1)
    assert money(1234.5, "CNY") == "1,234.50 CNY"


def test_every_price_of_the_table_is_of_an_instance_that_sagemaker_has() -> None:
    content = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    assert set(content["per_hour"]) <= set(sagemaker_types())
    assert all(instance_facts(name).known for name in content["per_hour"])
    assert (str(content["dated"]), content["region"], content["currency"]) == ("2026-11-22", "us-east-1", "USD")


# ---------------------------------------------------------------- instances
def test_what_is_in_an_instance() -> None:
    facts = instance_facts("ml.g4dn.xlarge")
    assert str(facts) == "1 × T4 with 16 GiB, 4 vCPU, 16 GiB RAM, 125 GB NVMe"
    assert (facts.gpu.compute_capability, facts.network) == ("7.5", "up to 25")
    assert (facts.disk_gb(500), facts.has_fixed_disk) == (125, True)
    without = instance_facts("ml.m5.xlarge")
    assert str(without) == "no GPU, 4 vCPU, 16 GiB RAM, EBS volume"
    assert (without.disk_gb(None), without.disk_gb(80), without.gpus) == (30, 80, 0)
    assert instance_facts("ml.r5d.large").nvme_gb == 75
    assert str(instance_facts("ml.c5.18xlarge")) == "no GPU, 72 vCPU, 144 GiB RAM, EBS volume"
    assert str(instance_facts("ml.c5n.18xlarge")) == "no GPU, 72 vCPU, 192 GiB RAM, EBS volume"
    assert str(instance_facts("ml.t3.medium")) == "no GPU, 2 vCPU, 4 GiB RAM, EBS volume"


def test_of_every_training_instance_it_is_known_whether_its_disk_is_its_own() -> None:
    unknown = [name for name in sagemaker_types() if not instance_facts(name).known and not has_own_disk(name)]
    left_behind, own_chips = {"p2"}, {"trn1", "trn1n", "trn2"}  # by every CUDA line of the image; refused by name
    assert {name.split(".")[1] for name in unknown} <= left_behind | own_chips


@pytest.mark.parametrize("name", ["ml.g7.2xlarge", "ml.p2.xlarge", "g4dn.xlarge", "ml.g4dn", "", "ml.x.y", "local"])
def test_types_that_are_not_in_the_table_are_allowed(name: str) -> None:
    facts = instance_facts(name)
    assert not facts.known
    assert facts.disk_gb(None) is None
    assert str(facts) == f"{name}: not in this version's table of instances"


def test_the_table_is_of_sagemakers_own_instances() -> None:
    assert set(table()) <= set(sagemaker_types())
    for name in table():
        facts = instance_facts(name)
        assert facts.gpus in (1, 4, 8)
        assert facts.memory_gib >= facts.vcpus
        assert facts.gpu.memory_gib >= 16
