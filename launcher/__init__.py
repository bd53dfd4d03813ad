"""On the user's machine: plans a job, starts it, follows it, brings the model home."""

import sys

if sys.argv[0] == "-m":  # this room is imported to run one of its modules, and is the first thing of it that is
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()
