"""A `nexus` command that ends with the process that started it.

`python -m nexus_tui.cli.watched PARENT ARGUMENTS...` does what `nexus ARGUMENTS...` does.
"""

from __future__ import annotations

import sys

from nexus_engine.system.parent_watch import ParentWatch

__all__: list[str] = []

if __name__ == "__main__":
    ParentWatch(int(sys.argv[1]))
    from nexus_tui.cli.main import main

    sys.exit(main(sys.argv[2:]))
