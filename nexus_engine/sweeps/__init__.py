"""Sweeps: the same training over a grid of settings and seeds, in many processes.

grid.py        what is swept: axes, seeds, the settings of every run
events.py      what a sweep tells while it works
folder.py      the folder of a sweep: sweep.json, events.jsonl, a run folder for each run
view.py        what is to be seen of a sweep, and the fold of its events into it
reading.py     that picture read from the sweep's folder at any time
following.py   that picture kept up to date from the sweep's log; the list of all sweeps
loop.py        the sweep as a generator of events
processes.py   runs as child processes of this one
ray_cluster.py runs as tasks of a Ray cluster (optional)
cell.py        one run of a sweep, in its own process
"""

__all__: list[str] = []
