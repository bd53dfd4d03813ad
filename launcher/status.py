"""`python -m launcher status`: where a job on SageMaker stands."""

from __future__ import annotations

import json

from launcher.cloud.call import read_call
from launcher.entry import enter
from launcher.people import answer


def main(argv: list[str] | None = None) -> int:
    """One call. Returns the exit code."""
    return enter(argv, status, result="run")


def status(argv: list[str]) -> int:
    """Which job, what it says of itself, answer."""
    call = read_call("status", argv)
    # Imported here: --help and a wrong flag need none of this (boto3).
    from launcher.cloud.aftermath import describe_result, exit_code, result_as_json
    from launcher.cloud.forecast import forecast
    from launcher.cloud.job import find_job
    from launcher.cloud.prices import price_of
    from launcher.cloud.story import read_story
    from launcher.cloud.watch import describe_miss

    account = call.account()
    job = find_job(account, call.named[0])
    story = read_story(account, [job])
    price = price_of(account, job.instance, account.region)
    code = exit_code(job)
    if call.json:
        state = story.progress
        now = {"phase": state.status, "step": state.step, "of_steps": state.steps, "eta_seconds": state.eta_s}
        return answer(json.dumps(result_as_json(job, story.curve, price) | ({} if job.is_over else now)), code)
    if job.is_over:
        return answer(describe_result(job, story.curve, price, call.commands), code)
    seen = forecast(job, story.progress.eta_s, price)
    from launcher.cloud.forecast import describe_money
    from launcher.cloud.view import describe_phase, figures, scores
    from launcher.watch import console_address

    rows = [
        ("job", f"{job.name} on {job.instance}{' (Spot)' if job.spot else ''}"),
        ("phase", describe_phase(job, story.progress)),
        ("", job.transitions[-1].message if job.transitions else ""),
        ("progress", figures(story.progress)),
        ("scores", scores(story.progress)),
        ("interrupted", f"{job.interruptions} times" if job.interruptions else ""),
        ("money", f"{describe_money(seen)} at {price}" if price else ""),
        ("warning", describe_miss(job, seen) if seen.misses else ""),
        ("console", console_address(job)),
        ("watch", call.commands("watch", job.run or job.name)),
    ]
    lines = [f"run {job.run or job.name}", *(f"  {name:12} {text}" for name, text in rows if text)]
    return answer("\n".join(lines), code)


if __name__ == "__main__":
    raise SystemExit(main())
