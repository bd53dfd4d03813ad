"""`python -m container.trainer ORDER.json`: started by the supervisor."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from pathlib import Path

from container.lifeline import hold_lifeline, kill_group
from container.order import LOST_ANOTHER_RANK, REFUSED_BY_TRAINER, WorkOrder
from container.rank_files import own_rank_files
from container.trainer.errors import TrainingFailed
from container.trainer.stop_flag import StopFlag
from contract.errors import UserError
from contract.paths import EXIT_FAILED


def main() -> int:
    files = own_rank_files()
    if files:
        files.split()
    hold_lifeline(lambda: kill_group(os.getpgrp()))
    order = WorkOrder.load(Path(sys.argv[1]))
    local = files.local if files else 0
    warnings.filterwarnings("ignore", message="No ccache found")  # paddle says it at every import
    # Paddle's own handler would end the process with a C++ trace: a stop waits until ours is there.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    import paddle

    paddle.disable_signal_handler()
    stop = StopFlag()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    from container.trainer.ranks import is_lost_rank
    from container.trainer.train_rec import train

    try:
        return train(order, stop)
    except UserError as error:
        return _fail(order, local, str(error), REFUSED_BY_TRAINER)
    except TrainingFailed as error:
        return _fail(order, local, str(error), EXIT_FAILED)
    except Exception as error:  # the supervisor reads why from these last words (container/diagnosis.py)
        traceback.print_exc()
        return LOST_ANOTHER_RANK if is_lost_rank(error) else EXIT_FAILED


def _fail(order: WorkOrder, local: int, reason: str, code: int) -> int:
    order.say_failure(reason, local)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
