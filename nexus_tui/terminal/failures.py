"""How a command fails: with one line on stderr and a documented exit code."""

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

__all__ = [
    "UsageError",
    "close_output",
    "error_line",
    "report",
    "tolerant_streams",
    "warning_line",
]

NO_MEMORY = "out of memory; close other programs, or give fewer or shorter pairs"


class UsageError(NexusError):
    """Options or arguments that exclude each other, or that are missing."""

    exit_code = ExitCode.USAGE


def tolerant_streams() -> None:
    """Let stdout and stderr write escapes for characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def error_line(message: str) -> None:
    """Write `nexus: error: MESSAGE` on stderr, on one line, if stderr still has a reader."""
    _write(f"nexus: error: {one_line(message, 600)}")


def warning_line(message: str) -> None:
    """Write `warning: MESSAGE` on stderr, on one line, if stderr still has a reader."""
    _write(f"warning: {one_line(message, 600)}")


def report(error: BaseException) -> int:
    """Report `error` to the user in one line, and return its exit code."""
    match error:
        case NexusError():
            # Running out of memory while a file is read is no fault of the file.
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
    # The message and the traceback are left out: they may hold the user's sentences.
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    _write(f"nexus: internal error: {type(error).__name__} at {place}")
    return int(ExitCode.FAILED)


def _out_of_memory() -> int:
    error_line(NO_MEMORY)
    return int(ExitCode.RESOURCES)


def _system_error(error: OSError) -> int:
    place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    error_line(f"{place}{error.strerror or type(error).__name__}")
    return int(ExitCode.RESOURCES if error.errno in OUT_OF_ROOM else ExitCode.FAILED)


def _usage_message(error: typer.TyperException) -> str:
    """Typer's message in this program's words, with the nearest valid option or value."""
    message = error.message.removeprefix("Value error, ").rstrip(".")
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "nexus")
    param = getattr(error, "param", None)
    if hasattr(error, "option_name") and hasattr(error, "possibilities"):
        message = f"no such option: {error.option_name}{_nearest_option(error, context)}"
    elif param is not None:
        is_option = param.param_type_name == "option"
        name = param.opts[0] if is_option else param.metavar or param.name
        if message:
            message = f"{name}: {_value_message(message, param)}"
        else:
            message = f"{name} is missing{_expected(param)}"
    else:
        message = message[:1].lower() + message[1:]
    return f"{message} (see {command} --help)"


def _expected(param: Any) -> str:
    """What a missing argument or option takes, from its help."""
    help_text = (getattr(param, "help", None) or "").rstrip(".")
    return f"; give {help_text[:1].lower()}{help_text[1:]}" if help_text else ""


def _value_message(message: str, param: Any) -> str:
    """What is wrong with an option's value, in this program's words.

    The message follows from what the option takes. A library's own message is not shown.
    """
    kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    numbers = {int: "a whole number", float: "a number", bool: "1 or 0"}
    if kind in numbers:
        low, high = getattr(param, "min", None), getattr(param, "max", None)
        between = "" if low is None or high is None else f" from {low:,} to {high:,}"
        return f"give {numbers[kind]}{between}"
    value, separator, listed = message.partition(" is not one of ")
    if not separator:
        return message
    choices = [choice.strip(" '") for choice in listed.split(",")]
    near = difflib.get_close_matches(value.strip("'"), choices, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{value} is not one of {', '.join(choices)}{hint}"


def _nearest_option(error: typer.TyperException, context: object) -> str:
    options: list[str] = []
    for param in getattr(getattr(context, "command", None), "params", ()):
        options += [name for name in (*param.opts, *param.secondary_opts) if name[:2] == "--"]
    near = difflib.get_close_matches(getattr(error, "option_name", ""), options, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _write(line: str) -> None:
    talk = Talk(sys.stderr)  # without a reader of stderr, the exit code still tells
    talk.write(line + "\n")
    talk.flush()


def close_output() -> None:
    """Point a stdout without a reader at /dev/null, to keep the interpreter's last flush quiet."""
    lose(sys.stdout)
