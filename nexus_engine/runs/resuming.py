"""Which runs can be resumed, and with what settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus_engine.errors import ConfigError, RunError, one_line

if TYPE_CHECKING:
    from nexus_engine.config import Settings
    from nexus_engine.runs.folder import RunFolder

__all__ = ["recorded_settings", "resumable"]


def resumable(name: str) -> tuple[RunFolder, Settings]:
    """The run `name`, as in `find_run`, and its settings, if it can be resumed.

    Raises:
        RunError: there is no such run, it has finished or is live, this user may not write there, a
            folder in it is a link, or its settings are invalid or of another version.
    """
    from nexus_engine.runs.folder import find_run
    from nexus_engine.runs.summary import state_of

    folder = find_run(name)
    facts = folder.read_run()
    state = state_of(folder.path)
    if state == "finished":
        raise RunError(f"{folder.name}: has finished; there is nothing to resume")
    if state == "live":
        raise RunError(
            f"{folder.name}: is live in process {one_line(facts.get('pid'), 20)}; stop it first"
        )
    folder.check_writable("copy the folder, and resume the copy")
    folder.check_own_folders()
    return folder, recorded_settings(folder)


def recorded_settings(folder: RunFolder) -> Settings:
    """The settings that the run in `folder` recorded.

    Raises:
        RunError: they are invalid or of another version.
    """
    import msgspec

    from nexus_engine.config import Settings, check_numbers

    try:
        settings = msgspec.convert(folder.read_run().get("settings"), Settings)
        check_numbers(settings)
    except ConfigError as error:
        raise RunError(
            f"{folder.name}: its settings cannot be used ({one_line(error, 120)}); start a new run"
        ) from None
    except msgspec.ValidationError:
        raise RunError(
            f"{folder.name}: its settings are not of this version; start a new run"
        ) from None
    return settings
