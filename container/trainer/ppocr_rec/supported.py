"""Turn a section of a recipe (`name` plus settings) into the object it describes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any


def construct(kind: str, group: str, section: Mapping[str, Any], table: Mapping[str, Any], **context: Any) -> Any:
    """Call the entry of `table` that `section["name"]` names, with the section's other keys as arguments.

    `context` is what the surroundings know (such as input channels), passed where the entry asks for it.
    """
    settings = {key: value for key, value in section.items() if key != "name"}
    make = choose(kind, group, section.get("name"), table)
    accepted = inspect.signature(make).parameters
    offered = [key for key in accepted if key not in context]
    unknown = [key for key in settings if key not in offered]
    if unknown:
        raise ValueError(
            f"{kind} {section['name']} has no setting {', '.join(unknown)}: it takes {', '.join(offered) or 'none'}."
        )
    missing = [key for key in offered if key not in settings and accepted[key].default is inspect.Parameter.empty]
    if missing:
        raise ValueError(f"{kind} {section['name']} needs the setting {', '.join(missing)}.")
    return make(**settings, **{key: value for key, value in context.items() if key in accepted})


def choose(kind: str, group: str, name: Any, table: Mapping[str, Any]) -> Any:
    """The entry of `table` called `name`, or a ValueError that says what there is."""
    if name in table:
        return table[name]
    raise ValueError(
        f"{kind} {name!r} is not among the {group} that the PyPI source distribution can be completed with "
        f"({', '.join(table) or 'none'}): use a complete PaddleOCR tree through PADDLEOCR_HOME."
    )
