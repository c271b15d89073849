"""Judge whether bytes that are not UTF-8 are text in Windows-1252."""

from __future__ import annotations

import re
from typing import BinaryIO

__all__ = ["is_windows_1252"]

CHUNK_BYTES = 1 << 20
NO_TEXT = bytes({*range(0x09), *range(0x0E, 0x20), 0x7F, 0x81, 0x8D, 0x8F, 0x90, 0x9D})
"""Control characters, and the bytes that Windows-1252 leaves undefined."""
HIGH = bytes(range(0x80, 0x100))
UTF_8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
"""A character of two to four bytes in UTF-8, with halves of surrogate pairs."""
CUT_OFF = re.compile(rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})\Z")
"""The beginning of such a character at the end of the file."""
MAX_HIGH_SHARE = 0.3
"""Of all bytes. Of French, 4 % are letters with accents; of text in Cyrillic, Greek or Chinese
encodings, which would be read as gibberish, more than half are such bytes."""
MAX_UTF_8_SHARE = 0.1
"""Of all bytes above 0x7F, those in sequences that are UTF-8: more, and the text is UTF-8 with a
few wrong bytes in it."""


def is_windows_1252(file: BinaryIO) -> bool:
    """Whether `file`, which is read to its end, holds text in Windows-1252.

    It does if no byte is a control character or undefined there, and if the bytes above 0x7F are
    few and form no UTF-8. Plain ASCII counts, too.
    """
    total = high = in_utf_8 = 0
    kept = b""
    while True:
        chunk = file.read(CHUNK_BYTES)
        total += len(chunk)
        if len(chunk.translate(None, NO_TEXT)) != len(chunk):
            return False
        high += len(chunk) - len(chunk.translate(None, HIGH))
        # A character may lie on both sides of the cut; only its beginning is kept back.
        chunk = kept + chunk
        cut = CUT_OFF.search(chunk[-3:])
        at_end = len(chunk) == len(kept)
        if at_end:
            break
        kept = cut[0] if cut else b""
        in_utf_8 += sum(map(len, UTF_8.findall(chunk[: len(chunk) - len(kept)])))
    if kept and high == len(kept):
        return False  # one character of UTF-8, cut off
    return high <= MAX_HIGH_SHARE * total and in_utf_8 <= MAX_UTF_8_SHARE * high
