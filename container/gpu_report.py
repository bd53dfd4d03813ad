"""What was found out about driver, paddle and cards, and what is wrong with it, in one sentence each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from container.cuda_compat import OLDEST_DRIVER, Version, version_text

OLDER_CARDS = "build the image with `python -m launcher push --cuda cu118`"


@dataclass(frozen=True)
class Card:
    """One GPU as paddle sees it. capability: (7, 5) is sm_75; failure: what a small matrix product on it ended in."""

    device: int
    name: str
    capability: tuple[int, int]
    memory_mb: int
    failure: str | None

    @property
    def architecture(self) -> int:
        """75 for sm_75."""
        return 10 * self.capability[0] + self.capability[1]


@dataclass(frozen=True)
class GpuReport:
    """driver: of the kernel module, None without one; cuda: of paddle's build, None in a build for the CPU;
    architectures: those that paddle holds machine code for, empty where it does not say; failure: what asking for the
    cards ended in."""

    driver: Version | None
    paddle: str
    cuda: str | None
    architectures: tuple[int, ...]
    visible_devices: str | None  # CUDA_VISIBLE_DEVICES
    failure: str | None
    cards: tuple[Card, ...]

    @property
    def driver_text(self) -> str:
        return version_text(self.driver) if self.driver else "none"

    @property
    def problems(self) -> list[str]:
        """Cause and remedy of everything that keeps training off a GPU; empty when all is well."""
        if self.cards:
            return [problem for card in self.cards if (problem := self._card_problem(card))]
        return [self._why_no_card()]

    def _why_no_card(self) -> str:
        if self.cuda is None and self.driver is None:
            return f"there is no NVIDIA GPU here, and paddle {self.paddle} is a build for the CPU"
        if self.cuda is None:
            return (
                f"there is an NVIDIA driver ({self.driver_text}), but paddle {self.paddle} is a build for the CPU: "
                "use the GPU image, or install paddlepaddle-gpu"
            )
        if self.driver is None:
            return (
                f"paddle {self.paddle} is built for CUDA {self.cuda}, but there is no NVIDIA driver: "
                "use a GPU instance, or start the container with `--gpus all`"
            )
        oldest = OLDEST_DRIVER.get(int(self.cuda.split(".")[0]), 0)
        if self.driver < (oldest,):
            return (
                f"the NVIDIA driver {self.driver_text} is too old for CUDA {self.cuda}, which needs {oldest} or newer: "
                f"update it, use an image with cuda-compat (data-center cards only), or {OLDER_CARDS}"
            )
        hidden = f" (CUDA_VISIBLE_DEVICES is {self.visible_devices!r})" if self.visible_devices is not None else ""
        failure = f" ({self.failure})" if self.failure else ""
        return (
            f"the NVIDIA driver {self.driver_text} shows no GPU{failure}{hidden}: "
            "start the container with `--gpus all`, or take a GPU instance"
        )

    def _card_problem(self, card: Card) -> str | None:
        where = f"GPU {card.device} ({card.name})"
        if self.too_old(card.architecture):
            held = ", ".join(f"sm_{each}" for each in self.architectures)
            return (
                f"{where} is of architecture sm_{card.architecture}, and this paddle holds code for {held} only: "
                f"{OLDER_CARDS}"
            )
        if card.failure:
            return f"{where} cannot compute ({card.failure}): start again on another machine, or build a newer image"
        return None

    def too_old(self, architecture: int) -> bool:
        """Older than anything that paddle was compiled for. A newer card may yet do with code compiled on the spot."""
        return bool(self.architectures) and architecture < min(self.architectures)

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints; the capability of a card as [7, 5]."""
        return asdict(self) | {"driver": self.driver and self.driver_text, "problems": self.problems}

    def table(self) -> list[str]:
        """Lines for people."""
        rows = [
            ("driver", self.driver_text),
            ("paddle", f"{self.paddle}, {f'CUDA {self.cuda}' if self.cuda else 'a build for the CPU'}"),
        ]
        if self.architectures:
            rows.append(("code for", ", ".join(f"sm_{each}" for each in self.architectures)))
        for card in self.cards:
            computes = "" if self._card_problem(card) else ", computes"
            what = f"{card.name}, sm_{card.architecture}, {card.memory_mb:,} MB{computes}"
            rows.append((f"GPU {card.device}", what))
        return [f"{name:<9}{what}" for name, what in rows]
