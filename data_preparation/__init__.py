"""Before training: draw or convert a dataset and check that it will train."""

import sys

if sys.argv[0] == "-m":  # this room is imported to run one of its modules, and is the first thing of it that is
    from contract.starting import ctrl_c_ends_at_once

    ctrl_c_ends_at_once()
