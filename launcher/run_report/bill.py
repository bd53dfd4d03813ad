"""Section: what the run has cost, and what Spot has saved; how long it took."""

from __future__ import annotations

from data_preparation.page.blocks import fact, facts
from data_preparation.page.charts import share
from data_preparation.page.document import Section
from data_preparation.page.markup import Content, Markup, element, join
from data_preparation.page.tables import Column, table
from data_preparation.page.visible import visible
from launcher.cloud.forecast import final_cost, spot_saving
from launcher.cloud.job import Job
from launcher.cloud.prices import money
from launcher.progress import clock
from launcher.run_report.sagemaker import Jobs

LONGEST = 400  # code points of a reason


def bill(jobs: Jobs) -> Section:
    """Of a run of this machine nothing; of one on SageMaker each job and their sum."""
    return Section("cost", "Cost", _content(jobs))


def _content(jobs: Jobs) -> Markup:
    if jobs.unknown:
        words = "The model came from SageMaker, and SageMaker could not be asked what it cost: "
        return element("p", words, visible(jobs.unknown, LONGEST), ".")
    if not jobs.jobs:
        return element("p", "No job on SageMaker is known of this run, so nothing was billed for it.")
    columns = [
        *(Column("Job"), Column("Ended"), Column("Machine"), Column("Trained", number=True)),
        *(Column("Billed", number=True), Column("Interrupted", number=True)),
        *(Column("Spot saved", number=True), Column("Cost", number=True)),
    ]
    return join(
        element("p", _lead(jobs)),
        facts(_sums(jobs)),
        table("The jobs of the run", columns, (_row(jobs, job) for job in jobs.jobs)),
        _prices(jobs),
    )


def _lead(jobs: Jobs) -> str:
    if not jobs.are_over:
        return "A job of this run is still under way: what it costs is known at its end."
    return (
        "An estimate: the time that SageMaker has billed, at the price on demand. Spot's saving is in the billed time"
        " already. Storage, logs and taxes come on top."
    )


def _sums(jobs: Jobs) -> list[tuple[str, Content]]:
    rows: list[tuple[str, Content]] = []
    if jobs.cost is not None:
        rows.append(
            (
                "Cost",
                fact(money(jobs.cost, jobs.currency), "an estimate" if jobs.are_over else "of the jobs that are over"),
            )
        )
    if jobs.saved:
        rows.append(("Saved by Spot", fact(money(jobs.saved, jobs.currency), "against the price on demand")))
    trained = sum(job.training_s or 0 for job in jobs.jobs)
    rows.append(("Machine time", fact(clock(trained), "waiting for capacity is not in it")))
    rows.append(("Interrupted", fact(sum(job.interruptions for job in jobs.jobs), "times, by Spot")))
    return rows


def _row(jobs: Jobs, job: Job) -> list[Content]:
    price, saving = jobs.price(job), spot_saving(job)
    cost = final_cost(job, price)
    machine = f"{job.count} × {job.instance}" if job.count > 1 else job.instance
    return [
        visible(job.name),
        visible(job.secondary or job.status),
        f"{machine}, {'Spot' if job.spot else 'on demand'}",
        "–" if job.training_s is None else clock(job.training_s),
        "–" if job.billable_s is None else clock(job.billable_s + job.kept_s),
        job.interruptions,
        "–" if saving is None else share(saving, 1),
        "–" if cost is None or price is None else money(cost, price.currency),
    ]


def _prices(jobs: Jobs) -> Markup:
    lines = []
    for instance, price in sorted(jobs.prices.items()):
        said = str(price) if price else "neither AWS nor the table here has a price"
        lines.append(element("li", visible(f"{instance}: {said}", LONGEST)))
    return element("ul", *lines, class_="small")
