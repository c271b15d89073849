"""Which runs can go on, and with what settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_engine.errors import RunError, one_line

if TYPE_CHECKING:
    from nexus_engine.config import Settings
    from nexus_engine.run_folder import RunFolder

__all__ = ["resumable"]


def resumable(asked: str) -> tuple[RunFolder, Settings]:
    """The run that a name, folder or `latest` means, to go on with, and its settings.

    Raises:
        RunError: there is none, it has ended or is live, or its settings are of another version.
    """
    import msgspec

    from nexus_engine.config import Settings
    from nexus_engine.run_folder import find_run
    from nexus_engine.run_index import state_of

    folder = find_run(asked)
    facts = folder.read_run()
    state = state_of(folder.path)
    if state == "finished":
        raise RunError(f"{folder.name}: has finished; there is nothing to resume")
    if state == "live":
        raise RunError(
            f"{folder.name}: is live in process {one_line(facts.get('pid'), 20)}; stop it first"
        )
    try:
        return folder, msgspec.convert(facts.get("settings"), Settings)
    except msgspec.ValidationError:
        raise RunError(
            f"{folder.name}: its settings are not of this version; start a new run"
        ) from None
