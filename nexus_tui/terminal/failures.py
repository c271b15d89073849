"""How a command ends when it does not end well: one line on stderr and a documented exit code."""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import typer

from nexus_engine.errors import ExitCode, NexusError, one_line
from nexus_engine.system.shortages import OUT_OF_ROOM, out_of_memory
from nexus_tui.terminal.standard_streams import Talk, lose

__all__ = ["UsageError", "close_output", "error_line", "report", "tolerant_streams"]

NO_MEMORY = "out of memory; close other programs, or give fewer or shorter pairs"


class UsageError(NexusError):
    """Options or arguments that cannot stand together."""

    exit_code = ExitCode.USAGE


def tolerant_streams() -> None:
    """Let stdout and stderr write what their encoding lacks as escapes rather than fail on it."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def error_line(message: str) -> None:
    """Write `nexus: error: MESSAGE` on stderr, on one line, if stderr still has a reader."""
    _write(f"nexus: error: {one_line(message, 600)}")


def report(error: BaseException) -> int:
    """Tell the user of `error` in one line; the exit code that it means."""
    match error:
        case NexusError():
            # Memory that runs out while a file is read is no fault of the file.
            if error.exit_code != ExitCode.RESOURCES and out_of_memory(error):
                return _out_of_memory()
            error_line(str(error))
            return int(error.exit_code)
        case typer.Exit():
            return error.exit_code
        case typer.TyperException():
            error_line(_usage_message(error))
            return int(ExitCode.USAGE)
        case typer.Abort() | KeyboardInterrupt():
            _write("nexus: interrupted")
            return int(ExitCode.INTERRUPTED)
        case BrokenPipeError():
            close_output()
            return int(ExitCode.FAILED)
    if out_of_memory(error):
        return _out_of_memory()
    if isinstance(error, OSError):
        return _system_error(error)
    # Neither the message nor the traceback: they may hold the user's sentences.
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    _write(f"nexus: internal error: {type(error).__name__} at {place}")
    return int(ExitCode.FAILED)


def _out_of_memory() -> int:
    error_line(NO_MEMORY)
    return int(ExitCode.RESOURCES)


def _system_error(error: OSError) -> int:
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    error_line(f"{where}{error.strerror or type(error).__name__}")
    return int(ExitCode.RESOURCES if error.errno in OUT_OF_ROOM else ExitCode.FAILED)


def _usage_message(error: typer.TyperException) -> str:
    """Typer's message, with the nearest right option or value where there is one."""
    message = error.message.removeprefix("Value error, ").rstrip(".")
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "nexus")
    param = getattr(error, "param", None)
    if hasattr(error, "option_name") and hasattr(error, "possibilities"):
        message = f"no such option: {error.option_name}{_nearest_option(error, context)}"
    elif param is not None:
        option = param.param_type_name == "option"
        name = param.opts[0] if option else param.metavar or param.name
        message = f"{name}: {_value_message(message, param)}" if message else f"{name} is missing"
    else:
        message = message[:1].lower() + message[1:]
    return f"{message} (see {command} --help)"


def _value_message(message: str, param: Any) -> str:
    """What is wrong with an option's value, in the words of this program.

    The words follow from what the option takes; what a library said of the value is not shown.
    """
    kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    numbers = {int: "a whole number", float: "a number", bool: "1 or 0"}
    if kind in numbers:
        low, high = getattr(param, "min", None), getattr(param, "max", None)
        between = "" if low is None or high is None else f" from {low:,} to {high:,}"
        return f"give {numbers[kind]}{between}"
    asked, said, known = message.partition(" is not one of ")
    if not said:
        return message
    choices = [choice.strip(" '") for choice in known.split(",")]
    near = difflib.get_close_matches(asked.strip("'"), choices, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{asked} is not one of {', '.join(choices)}{hint}"


def _nearest_option(error: typer.TyperException, context: object) -> str:
    known: list[str] = []
    for param in getattr(getattr(context, "command", None), "params", ()):
        known += [*param.opts, *param.secondary_opts]
    asked = getattr(error, "option_name", "")
    near = difflib.get_close_matches(asked, [name for name in known if name[:2] == "--"], n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _write(line: str) -> None:
    talk = Talk(sys.stderr)  # where nobody reads any more, the exit code still tells
    talk.write(line + "\n")
    talk.flush()


def close_output() -> None:
    """Point a stdout without a reader at nothing, so that the interpreter's own flush is quiet."""
    lose(sys.stdout)
