"""`python -m container.trainer ORDER.json`: started by the supervisor."""

from __future__ import annotations

import errno
import os
import sys
import traceback
import warnings
from pathlib import Path

from container.lifeline import hold_lifeline, kill_group
from container.order import WorkOrder
from container.trainer.errors import TrainingFailed
from container.trainer.stop_flag import StopFlag
from contract.errors import UserError
from contract.paths import EXIT_FAILED, EXIT_REFUSED


def main() -> int:
    hold_lifeline(lambda: kill_group(os.getpgrp()))
    order = WorkOrder.load(Path(sys.argv[1]))
    warnings.filterwarnings("ignore", message="No ccache found")  # paddle says it at every import
    import paddle

    # It ends the process at SIGTERM. Before this line a stop ends us too; the supervisor knows nothing is lost.
    paddle.disable_signal_handler()
    stop = StopFlag()
    from container.trainer.train_rec import train

    try:
        return train(order, stop)
    except UserError as error:
        return _fail(order, str(error), EXIT_REFUSED)
    except TrainingFailed as error:
        return _fail(order, str(error), EXIT_FAILED)
    except Exception as error:
        traceback.print_exc()
        return _fail(order, _explain(error), EXIT_FAILED)


def _explain(error: Exception) -> str:
    """Cause and remedy in one line for what people meet; the traceback is in the log."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"no space left on the device for {error.filename or 'a checkpoint'}: free some, or use a bigger volume"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"


def _fail(order: WorkOrder, reason: str, code: int) -> int:
    Path(order.failure).write_text(reason, encoding="utf-8")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
