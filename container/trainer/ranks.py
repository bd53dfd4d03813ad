"""The processes that train one network together, as one of them sees them.

Each step takes one batch of all ranks; every rank reads its share of it. Whatever is decided (scores, stops, where a
run continues) is decided once and is the same everywhere, so that no rank waits for another that has left.
With one process nothing is sent, and every method is what its name says of one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import paddle
import paddle.distributed as dist

from container.trainer.stop_flag import StopFlag
from contract.errors import UserError

Item = TypeVar("Item")


class Ranks:
    """This process's rank among `world`; NCCL between GPUs, gloo between CPUs, as paddle.distributed.launch chose."""

    def __init__(self, stop: StopFlag):
        self.stop = stop
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self._stopping = False
        self._unread: paddle.Tensor | None = None  # how many ranks were told to stop at the last step
        if self.world > 1:
            if paddle.device.get_device() == "cpu":  # by choice perhaps, on a machine with GPUs
                os.environ["PADDLE_DISTRI_BACKEND"] = "gloo"
            dist.init_parallel_env()

    @property
    def first(self) -> bool:
        """This is the rank that speaks, publishes and exports."""
        return self.rank == 0

    def share_of(self, items: Sequence[Item]) -> Sequence[Item]:
        """This rank's part."""
        return share_of(items, self.rank, self.world)

    def whole_of(self, items: Sequence[Item]) -> list[Item]:
        """The inverse of `share_of`, from the parts of all ranks."""
        return weave(self.gather(list(items)))

    def learner(self, model: paddle.nn.Layer, unused: bool) -> paddle.nn.Layer:
        """The model as it is called in training: its gradients become the mean over all ranks.

        `unused`: some parameters take no part in some steps.
        """
        return paddle.DataParallel(model, find_unused_parameters=unused) if self.world > 1 else model

    def mean_loss(self, loss: paddle.Tensor, weight: float) -> paddle.Tensor:
        """The loss of the whole batch from that of this share, which counts `weight` times (their mean is 1).

        Stops travel along. They are read one step later, so that a GPU need not be waited for.
        """
        if self.world == 1:
            return loss
        message = paddle.concat([loss.reshape([1]).astype("float32") * (weight / self.world), self._told_to_stop()])
        dist.all_reduce(message)
        if self._unread is not None:
            self._stopping = bool(self._unread > 0)
        self._unread = message[1]
        return message[0]

    def are_stopping(self) -> bool:
        """A stop that all ranks know of, at the same step."""
        return bool(self.stop) if self.world == 1 else self._stopping

    def any_stops(self) -> bool:
        """Ask all ranks, and wait for their answers, whether one of them was told to stop."""
        if self.world > 1:
            message = self._told_to_stop()
            dist.all_reduce(message)
            self._stopping = bool(message > 0)
        return self.are_stopping()

    def share(self, value: Any) -> Any:
        """The first rank's value, in every rank."""
        if self.world == 1:
            return value
        held = [value]
        dist.broadcast_object_list(held, src=0)
        return held[0]

    def gather(self, value: Item) -> list[Item]:
        """The values of all ranks, in every rank."""
        if self.world == 1:
            return [value]
        values: list[Item] = []
        dist.all_gather_object(values, value)
        return values

    def agree(self, facts: dict[str, Any]) -> None:
        """Raise UserError, in every rank, when one of them works on something else."""
        for difference in differences(self.gather(facts)):
            raise UserError(
                f"the processes of this job do not work on the same thing: {difference}: give every host the same data "
                "(FullyReplicated), machine and image"
            )

    def take_running_statistics(self, model: paddle.nn.Layer) -> None:
        """Batch norm's running means differ from rank to rank: the first rank's are the network's."""
        if self.world > 1:
            for array in model.state_dict().values():
                if array.stop_gradient:  # not trained: what gradients move is the same everywhere
                    dist.broadcast(array, src=0)

    def _told_to_stop(self) -> paddle.Tensor:
        return paddle.to_tensor([float(bool(self.stop))])


def is_lost_rank(error: Exception) -> bool:
    """The error says no more than that another rank is gone; gloo and NCCL sign their messages."""
    return dist.get_world_size() > 1 and re.search("gloo|nccl", str(error), re.IGNORECASE) is not None


def share_of(items: Sequence[Item], rank: int, world: int) -> Sequence[Item]:
    """The part of one rank: all parts together are the whole, and their sizes differ by one at most."""
    return items[rank::world]


def differences(facts: Sequence[dict[str, Any]]) -> list[str]:
    """What differs from the first rank's, in words."""
    return [
        f"{name} is {facts[0][name]} in rank 0 and {each[name]} in rank {rank}"
        for rank, each in enumerate(facts)
        for name in each
        if each[name] != facts[0][name]
    ]


def weave(parts: Sequence[Sequence[Item]]) -> list[Item]:
    """One list from parts that were dealt out like cards."""
    whole: list[Any] = [None] * sum(map(len, parts))
    for rank, part in enumerate(parts):
        whole[rank :: len(parts)] = part
    return whole
