"""What a recipe can learn, and what to do about labels that need more: no recipe is opened here."""

from __future__ import annotations

from dataclasses import dataclass
from operator import eq

TRAINING_TIME_STEPS = "Architecture.Backbone.training_time_steps"  # a setting of our own network alone
MOST_STEPS = 1_000  # of a label: a printed line has some 100, what has more is a page or a mistake


@dataclass(frozen=True)
class Limits:
    """What a recipe can learn. Lengths in code points, sizes in pixels."""

    longest_label: int
    reserved: int  # places of max_text_length that marks take: longest_label = max_text_length - reserved
    time_steps: int
    use_space: bool
    height: int
    width: int
    pixels_per_step: int  # 0: widening the input gives no more time steps
    steps_key: str = ""  # the key that states the time steps, where a recipe has one


def ctc_steps(label: str) -> int:
    """Time steps CTC needs for a label: one a character, and a blank between equal neighbours."""
    return len(label) + sum(map(eq, label, label[1:]))


def width_that_fits(limits: Limits, most_steps: int, aspect: float) -> int:
    """Input width in pixels, a multiple of 32, that gives the hardest label its steps.

    aspect: width / height of a typical wide image. Up to twice the steps that the hardest label needs are given:
    CTC learns slowly when it has none to spare, and more is only paid for.
    """
    needed = most_steps * limits.pixels_per_step
    return -(-max(needed, min(round(aspect * limits.height), 2 * needed)) // 32) * 32


def remedy_for_steps(limits: Limits, needed: int, aspect: float) -> str:
    """What to do about a label that needs more time steps than the recipe has."""
    if needed > MOST_STEPS:
        return "shorten it or delete its line: no input is so wide"
    if not limits.pixels_per_step:
        return "split the lines: this network has a fixed number of steps"
    if limits.steps_key and needed * limits.pixels_per_step <= limits.width:
        return f"add -o {limits.steps_key}={needed} or split the lines"
    width = width_that_fits(limits, needed, aspect)
    if limits.steps_key:
        ours = " (which our own networks have, of --tree pypi)" if limits.steps_key == TRAINING_TIME_STEPS else ""
        return f"take {limits.steps_key}={needed}{ours} and an input of {limits.height}x{width}, or split the lines"
    return f"widen the input to image_shape [3,{limits.height},{width}] or split the lines"
