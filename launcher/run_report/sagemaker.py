"""The jobs of a run on SageMaker: what they cost, how often Spot took the machine away, how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from contract.errors import UserError
from launcher.cloud.aftermath import describe_end
from launcher.cloud.curve import Curve
from launcher.cloud.forecast import final_cost, spot_saving
from launcher.cloud.job import COMPLETED, FAILED, Job, current_job, find_job, jobs_of_run
from launcher.cloud.prices import Price, price_of
from launcher.cloud.story import read_story

if TYPE_CHECKING:
    from launcher.aws import Account
    from launcher.cloud.call import Call


@dataclass(frozen=True)
class Jobs:
    """The jobs of a run, the oldest first; none of a run of this machine. `unknown`: why they are not known."""

    jobs: tuple[Job, ...] = ()
    prices: dict[str, Price | None] = field(default_factory=dict)
    curve: Curve | None = None  # from the logs; None: they were not asked
    unknown: str = ""

    @property
    def newest(self) -> Job | None:
        return current_job(self.jobs) if self.jobs else None

    def price(self, job: Job) -> Price | None:
        return self.prices.get(job.instance)

    @property
    def are_over(self) -> bool:
        return all(job.is_over for job in self.jobs)

    @property
    def cost(self) -> float | None:
        """What those that are over have cost; None: not known of each."""
        costs = [final_cost(job, self.price(job)) for job in self.jobs if job.is_over]
        return None if None in costs or not costs else sum(cost or 0.0 for cost in costs)

    @property
    def currency(self) -> str:
        price = self.price(self.jobs[-1]) if self.jobs else None
        return price.currency if price else "USD"

    @property
    def saved(self) -> float | None:
        """What Spot has saved, in money, where all of it is known; None: it did not, or it is not known."""
        amounts = []
        for job in self.jobs:
            saving, price = spot_saving(job), self.price(job)
            if saving and price and job.training_s:
                amounts.append(price.per_hour * job.training_s / 3600 * job.count * saving)
        return sum(amounts) or None


def ask_sagemaker(call: Call, named: str) -> Jobs:
    """Whatever SageMaker knows of a run, or of one job by its name or ARN. Raises UserError."""
    account = call.account()
    job = find_job(account, named)
    jobs = jobs_of_run(account, job.run) if job.run and job.run == named else [job]
    prices = {each: price_of(account, each, account.region) for each in {job.instance for job in jobs}}
    return Jobs(tuple(jobs), prices, _curve(account, jobs))


def ask_if_possible(call: Call, named: str) -> Jobs:
    """The same of a run that is here already: without an answer its page lacks no more than the bill."""
    try:
        return ask_sagemaker(call, named)
    except UserError as error:
        return Jobs(unknown=str(error))


def how_it_ended(job: Job) -> tuple[str, str]:
    """The word of run.json for it, and why; both empty while it is under way."""
    if not job.is_over:
        return "", ""
    if job.status == COMPLETED:
        return "finished", ""
    return ("failed" if job.status == FAILED else "stopped"), describe_end(job)


def _curve(account: Account, jobs: Sequence[Job]) -> Curve | None:
    """A run that is done brings its whole curve with its model; the logs are long, and only asked for others."""
    return None if jobs[-1].status == COMPLETED else read_story(account, list(jobs)).curve
