"""The process of an export that `exporting.run_export` starts.

`python -m nexus_tui.work.export_child PARENT RUN FORMAT OUT MAX_LOSS FOLD` prints a line of JSON
for each stage and one with the result. It fails as the command does: a line on stderr, and the exit
code. It ends with the process PARENT and then removes what it wrote.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

from nexus_engine.exports.hidden_folder import clear_own
from nexus_engine.exports.options import Format
from nexus_engine.system.parent_watch import ParentWatch

__all__: list[str] = []


def main(arguments: Sequence[str]) -> int:
    """Export, and return the exit code."""
    parent, run, format_, out, max_loss, fold = arguments
    ParentWatch(int(parent), partial(clear_own, Path(out)))
    from nexus_tui.terminal import failures, streams

    failures.tolerant_streams()
    try:
        from nexus_engine.exports.exporting import Stage, export
        from nexus_engine.runs.folder import find_run
        from nexus_tui.work.exporting import export_fields

        folder = find_run(run)
        for item in export(
            folder,
            cast("Format", format_),
            Path(out),
            max_loss=float(max_loss),
            approximate=fold == "approximate",
        ):
            if isinstance(item, Stage):
                streams.put_json({"stage": item.words, "fraction": item.fraction})
            else:
                streams.put_json(export_fields(folder.name, item))
    except BaseException as error:
        return failures.report(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
