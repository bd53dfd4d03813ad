"""`python -m container.trainer ORDER.json`: started by the supervisor."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from container.lifeline import hold_lifeline, kill_group
from container.order import WorkOrder
from contract.errors import UserError
from contract.paths import EXIT_FAILED, EXIT_REFUSED


def main() -> int:
    hold_lifeline(lambda: kill_group(os.getpgrp()))
    order = WorkOrder.load(Path(sys.argv[1]))
    from container.trainer.stop_flag import StopFlag

    stop = StopFlag()  # before the slow imports: a stop during them is heard too
    from container.trainer.train_rec import TrainingFailed, train

    try:
        return train(order, stop)
    except UserError as error:
        return _fail(order, str(error), EXIT_REFUSED)
    except TrainingFailed as error:
        return _fail(order, str(error), EXIT_FAILED)


def _fail(order: WorkOrder, reason: str, code: int) -> int:
    Path(order.failure).write_text(reason, encoding="utf-8")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
