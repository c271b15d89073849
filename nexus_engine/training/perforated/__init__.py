"""The library perforatedai as a grower, in a child process of its own.

    parent.py     starts the child, passes its events on, reads its weights back
    job.py        the job that the parent writes, and the messages that the child sends
    child.py      the child process: shuts the library in, then trains
    work.py       the child's training
    library.py    an arm whose adapter belongs to the library
    unit.py       our unit as a module for the library's creation hook
    readback.py   the library's tensors as a plain snapshot; needs no perforatedai

The library keeps its state in module globals, writes files into the working directory, opens pdb
or a screen of its own when something is unclear, and ends the process from inside a backward pass
that meets something unexpected. In a child process none of that affects the run.
"""
