"""The reliability suite: each promise of docs/reliability.md as a check that can fail.

Short form: with the other tests (`pytest`). Long form, with the table: `python tests/reliability`.
Proof that each check can fail: `python tests/reliability --mutations`.
"""
