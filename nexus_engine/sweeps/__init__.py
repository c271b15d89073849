"""Sweeps: the same training over a grid of settings and seeds, in many processes.

grid.py        what a sweep runs: axes, seeds, the settings of every run
events.py      the events of a sweep
folder.py      the folder of a sweep: sweep.json, events.jsonl, a run folder for each run
view.py        the state of a sweep for display, and the fold of its events into it
reading.py     that state, read from the sweep's folder
following.py   that state, kept up to date from the sweep's log; the list of all sweeps
loop.py        the sweep as a generator of events
workers.py     the interface between the loop and whatever runs the cells
processes.py   cells as child processes
ray_cluster.py cells as tasks of a Ray cluster (optional)
cell.py        one run of a sweep, in its own process
"""

__all__: list[str] = []
