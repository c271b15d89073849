"""The library perforatedai as a grower, kept in a child process of its own.

    parent.py     starts the child, passes its events on, reads its weights back
    job.py        what the parent hands to the child, and the lines that come back
    child.py      the child: everything the library could reach for is closed first, then it trains
    work.py       the child's work once the doors are closed
    library.py    an arm whose adapter belongs to the library
    unit.py       our unit as a module that the library's creation hook can make
    readback.py   the library's tensors as a plain snapshot; needs no perforatedai

The library keeps its state in module globals, writes files into the working directory, opens pdb
or a screen of its own when something is unclear, and ends the process from inside a backward pass
where it meets what it does not expect. None of that can reach the run from here.
"""

__all__: list[str] = []
