"""Sentences that stand on the command line, read as UTF-8 whatever the locale says."""

from __future__ import annotations

import os

from nexus_engine.errors import DataError

__all__ = ["typed_text"]


def typed_text(argument: str, name: str) -> str:
    """The text of an argument, `name` being what messages call it.

    Python decodes arguments by the locale, which is ASCII or Latin-1 where none is set; terminals
    and files are UTF-8 nearly everywhere. The bytes are taken back and read as UTF-8. Paths are
    left as Python has them: a file is opened by its bytes.

    Raises:
        DataError: the bytes are not UTF-8. Nothing of a sentence is ever left out or replaced.
    """
    try:
        found = os.fsencode(argument)
    except UnicodeEncodeError:  # no bytes of this locale: it did not come from a command line
        found = argument.encode("utf-8", "surrogatepass")
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"{name} is not UTF-8 text; set the terminal to UTF-8, or convert it: "
            "iconv -f LATIN1 -t UTF-8"
        ) from None
