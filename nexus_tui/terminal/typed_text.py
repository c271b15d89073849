"""Sentences on the command line, read as UTF-8 in every locale."""

from __future__ import annotations

import os

from nexus_engine.errors import DataError

__all__ = ["typed_text"]


def typed_text(argument: str, name: str) -> str:
    """The text of an argument; messages call it `name`.

    Python decodes arguments by the locale, which is ASCII or Latin-1 if none is set, while
    terminals and files are UTF-8 nearly everywhere. So the argument is encoded back to its bytes
    and decoded as UTF-8. Paths are not: a file is opened by its bytes.

    Raises:
        DataError: the bytes are not UTF-8. No part of a sentence is ever dropped or replaced.
    """
    try:
        encoded = os.fsencode(argument)
    except UnicodeEncodeError:  # the locale lacks it, so that it is from no command line
        encoded = argument.encode("utf-8", "surrogatepass")
    try:
        return encoded.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"{name} is not UTF-8 text; set the terminal to UTF-8, or convert it: "
            "iconv -f LATIN1 -t UTF-8"
        ) from None
