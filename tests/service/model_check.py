"""Requests against botocore's service model, refused in AWS's words. botocore itself checks much less than AWS does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from tests.service.refusal import Refusal

# What these services call a request that does not fit their model.
CODES = {
    "sagemaker": "ValidationException",
    "logs": "InvalidParameterException",
    "service-quotas": "IllegalArgumentException",
    "pricing": "InvalidParameterException",
}

_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}

# Java's classes of Unicode letters, numbers and blanks; they stand inside brackets.
_JAVA = ((r"\p{L}", r"\w"), (r"\p{N}", r"\d"), (r"\p{Z}", r"\s"), (r"\p{M}", ""))


@cache
def model_of(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def check_request(service: str, operation: str, body: dict[str, Any]) -> None:
    """Raises Refusal when AWS would not take this request."""
    problems = list(_problems(body, model_of(service).operation_model(operation).input_shape, ""))
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
        raise Refusal(CODES[service], count + "; ".join(problems))


def unknown_members(service: str, operation: str, answer: dict[str, Any]) -> list[str]:
    """Members of an answer that the model does not know: boto3 would drop them without a word."""
    return [problem for problem in _unknown(answer, model_of(service).operation_model(operation).output_shape, "")]


def _problems(value: Any, shape: Any, path: str) -> Iterator[str]:
    kinds = _TYPES[shape.type_name]
    wrong = not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
    if wrong:
        yield f"Value '{value}' at '{path}' failed to satisfy constraint: Member must be of type {shape.type_name}"
        return
    yield from (f"Value '{value}' at '{path}' failed to satisfy constraint: {rule}" for rule in _broken(value, shape))
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                where = _join(path, name)
                yield f"Value null at '{where}' failed to satisfy constraint: Member must not be null"
        for name, member in value.items():
            if name not in shape.members:
                yield f"'{_join(path, name)}' is not a member of {shape.name}"
            else:
                yield from _problems(member, shape.members[name], _join(path, name))
    elif shape.type_name == "list":
        for number, item in enumerate(value, start=1):
            yield from _problems(item, shape.member, f"{path}.{number}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _problems(key, shape.key, f"{path}.key")
            yield from _problems(item, shape.value, f"{path}.{key}.member")


def _broken(value: Any, shape: Any) -> Iterator[str]:
    """The rules of a shape that a value of the right type breaks."""
    rules = shape.metadata
    size, kind = (len(value), "length") if isinstance(value, (str, list, dict)) else (value, "value")
    if "min" in rules and size < rules["min"]:
        yield f"Member must have {kind} greater than or equal to {rules['min']}"
    if "max" in rules and size > rules["max"]:
        yield f"Member must have {kind} less than or equal to {rules['max']}"
    if "enum" in rules and value not in rules["enum"]:
        yield f"Member must satisfy enum value set: [{', '.join(rules['enum'])}]"
    if "pattern" in rules and not _pattern(rules["pattern"]).fullmatch(value):
        yield f"Member must satisfy regular expression pattern: {rules['pattern']}"


@cache
def _pattern(java: str) -> re.Pattern[str]:
    for theirs, ours in _JAVA:
        java = java.replace(theirs, ours)
    return re.compile(java)


def _unknown(value: Any, shape: Any, path: str) -> Iterator[str]:
    if shape is None:
        yield from (_join(path, name) for name in value)
    elif shape.type_name == "structure":
        for name, member in value.items():
            if name in shape.members:
                yield from _unknown(member, shape.members[name], _join(path, name))
            else:
                yield _join(path, name)
    elif shape.type_name == "list":
        for item in value:
            yield from _unknown(item, shape.member, path)


def _join(path: str, name: str) -> str:
    """AWS writes members with a small first letter."""
    name = name[:1].lower() + name[1:]
    return f"{path}.{name}" if path else name
