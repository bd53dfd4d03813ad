"""What one job touches, as ARNs that IAM can be asked about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contract.errors import UserError
from launcher.cloud.layout import S3Uri
from launcher.cloud.partition import partition_of
from launcher.cloud.permissions import (
    FILES,
    FOLDER,
    INPUTS,
    JOBS,
    PASSED_ROLE,
    REPOSITORY,
    RUNS,
    Names,
    Resource,
    fill,
)
from launcher.cloud.plan import CloudPlan
from launcher.images.ecr import parse_image

# Left as they are in an ARN: the name behind them is not set yet.
_NEEDED = {"BUCKET": "bucket", "REPOSITORY": "repository", "ROLE": "role"}


@dataclass(frozen=True)
class Places:
    """Empty: not known, as to `doctor`, which knows no run."""

    job: str = ""
    role: str = ""  # ARN
    reads: tuple[S3Uri, ...] = ()  # folders
    writes: tuple[S3Uri, ...] = ()
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """One thing to ask about. `is_real`: the job touches this very one; else it is one that the policy's pattern means,
    and a policy for other names may do as well."""

    arn: str
    context: tuple[tuple[str, str], ...] = ()
    is_real: bool = True


def places_of(plan: CloudPlan) -> Places:
    """Everything that the first job of a plan names."""
    return Places(
        job=plan.job,
        role=plan.role,
        reads=tuple(each.uri for each in plan.channels.values()),
        writes=tuple(uri for uri in (plan.checkpoints, plan.output) if uri),
        images=tuple(dict.fromkeys(rung.image for rung in plan.rungs if rung.image)),
    )


def is_named(resource: Resource, names: Names) -> bool:
    """All names of its ARNs are set: the checks of bucket, role and image say it of those that are not."""
    return all(
        getattr(names, name) for word, name in _NEEDED.items() for arn in resource.arns if word in arn.split(":")[-1]
    )


def places_like(resource: Resource, names: Names, places: Places) -> list[Place]:
    """What the job touches of a kind of resource, without repetitions."""
    return list(dict.fromkeys(_places(resource, names, places)))


def _places(resource: Resource, names: Names, places: Places) -> Iterator[Place]:
    s3 = f"arn:{partition_of(names.region).name}:s3:::"
    if resource == JOBS and places.job:
        yield Place(fill(resource.arns[0], names).replace("*", places.job))
    elif resource == PASSED_ROLE:  # a role may have a path, which its name does not tell
        yield Place(places.role or fill(resource.arns[0], names), _context(resource, names), bool(places.role))
    elif resource == FOLDER and places.reads:
        for uri in (*places.reads, *places.writes):
            yield Place(f"{s3}{uri.bucket}", (("s3:prefix", uri.key),))
    elif resource in (FILES, INPUTS, RUNS) and places.reads:
        for uri in places.writes if resource == RUNS else (*places.reads, *places.writes):
            yield Place(f"{s3}{uri.bucket}/{uri.file('x').key}")
    elif resource == REPOSITORY and places.images:
        for image in places.images:
            try:
                found = parse_image(image)
            except UserError:
                continue  # the check of the image says so
            arn = f"arn:{partition_of(found.region).name}:ecr:{found.region}:{found.account}:repository/{found.name}"
            yield Place(arn)
    else:
        for pattern in resource.arns:
            arn = fill(pattern, names)
            is_real = "*" not in arn[1:] and not any(
                "*" in value for _, _, values in resource.condition for value in values
            )
            yield Place(arn if arn == "*" else arn.replace("*", "x"), _context(resource, names), is_real)


def _context(resource: Resource, names: Names) -> tuple[tuple[str, str], ...]:
    """A value for each condition, that it would have in a job."""
    return tuple((key, fill(values[0], names).replace("*", "x")) for _, key, values in resource.condition)
