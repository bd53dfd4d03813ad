"""Pages with opaque tokens, as AWS hands out long lists."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from tests.service.refusal import Refusal


def page_of(items: Sequence[Any], token: str | None, size: int, refusal: Refusal) -> tuple[Sequence[Any], str | None]:
    """The page that the token stands for, and the token of the next one; raises `refusal` for a made-up token."""
    first = 0
    if token is not None:
        try:
            first = int(base64.b64decode(token, validate=True).decode().removeprefix("from "))
        except ValueError:
            raise refusal from None
    following = first + size
    more = base64.b64encode(f"from {following}".encode()).decode() if following < len(items) else None
    return items[first:following], more
