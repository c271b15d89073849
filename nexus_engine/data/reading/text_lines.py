"""Decode a text file strictly, packed or plain.

Text is UTF-8 with or without a byte order mark, UTF-16 with one, or else Windows-1252, which is
then noted in the remarks of the source.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Generator
from typing import BinaryIO

from nexus_engine.data.messages import file_error, row_error
from nexus_engine.data.reading.compression import DamagedDataError, unpacked
from nexus_engine.data.reading.formats import is_data_name
from nexus_engine.data.reading.sources import LFS_POINTER, Source, lfs_pointer
from nexus_engine.data.reading.windows_1252 import is_windows_1252
from nexus_engine.errors import DataError

__all__ = ["text_lines", "text_pieces"]

MAX_LINE_CHARACTERS = 8_000_000
"""A line of this length is refused: without a limit, a file that has no line end would fill the
memory before it could be refused."""
CHUNK_BYTES = 1 << 16

ENCODING_NAMES = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16"}
CONVERT = "convert the file: iconv -f {} -t UTF-8 FILE > NEW"
SAVE_AS_UTF_8 = "save the file again as UTF-8 in the program that wrote it"
WINDOWS_1252 = "not UTF-8: read as Windows-1252"


def text_lines(source: Source, *, only_utf: bool = False) -> Generator[str]:
    """Yield each line with its line end (LF, CR LF or CR, in any mixture).

    With `only_utf`, text in Windows-1252 is refused.
    Raises DataError, with the number of the line, for bytes that the encoding does not allow, NUL,
    a line of 8 million characters, and packed data that is cut off or damaged.
    """
    known = "cp1252" if WINDOWS_1252 in source.remarks and not only_utf else ""
    return _decoded(source, MAX_LINE_CHARACTERS, known, whole_lines=True, only_utf=only_utf)


def text_pieces(source: Source, max_characters: int = 1 << 16) -> Generator[str]:
    """Yield the text in pieces of at most `max_characters`, for formats that are not by line."""
    yielded = 0
    if WINDOWS_1252 not in source.remarks:
        try:
            for piece in _decoded(source, max_characters, whole_lines=False):
                yielded += 1
                yield piece
        except _OtherEncodingError:
            pass
        else:
            return
    yield from _in_windows_1252(source, max_characters, yielded, whole_lines=False)


class _OtherEncodingError(Exception):
    """The bytes are not text in the encoding that was tried."""


def _in_windows_1252(
    source: Source, size: int, yielded: int, *, whole_lines: bool, only_utf: bool = False
) -> Generator[str]:
    """The pieces after the first `yielded` of text that is not UTF-8.

    Raises DataError for what is not Windows-1252 either, and with `only_utf` for what is.
    """
    if WINDOWS_1252 not in source.remarks:
        if not _is_windows_1252(source):
            raise _decoding_error(source, SAVE_AS_UTF_8)
        if only_utf:
            raise _decoding_error(source, CONVERT.format("WINDOWS-1252"))
        source.remarks.append(WINDOWS_1252)
    for piece in _decoded(source, size, "cp1252", whole_lines=whole_lines):
        # What was yielded before the first wrong byte is ASCII, the same in both encodings.
        if yielded and not piece.isascii():
            raise _decoding_error(source, SAVE_AS_UTF_8)
        if yielded:
            yielded -= 1
        else:
            yield piece


def _decoded(
    source: Source, size: int, known: str = "", *, whole_lines: bool, only_utf: bool = False
) -> Generator[str]:
    """The text in pieces, in the `known` encoding or that which the first bytes show.

    Lines go on in Windows-1252 where they are not UTF-8, in this generator, because another one
    around it would cost 1 % of the reading. For pieces of another encoding _OtherEncodingError is
    raised.
    """
    is_other = False
    row = 0
    piece = "\n"
    with source.open() as file:
        try:
            plain = _plain(source, file)
            encoding = known or _encoding(source.label, plain)
            with io.TextIOWrapper(plain, encoding, errors="strict", newline="") as text:
                while True:
                    # A piece starts a line if the piece before ended one.
                    row += whole_lines or piece.endswith(("\n", "\r"))
                    ended_in_cr = piece.endswith("\r")
                    piece = text.readline(size)
                    if ended_in_cr and piece == "\n" and not whole_lines:
                        row -= 1  # the pieces were cut between the two characters of a line end
                    if not piece:
                        return
                    if whole_lines and len(piece) == size:
                        raise row_error(source.label, row, "the line is longer than 8 MB")
                    if "\0" in piece:
                        raise _nul_error(source, row)
                    yield piece
        except UnicodeDecodeError:
            is_other = True
        except DamagedDataError as error:
            raise row_error(source.label, max(1, row), str(error)) from None
        except OSError:
            raise row_error(source.label, max(1, row), "the disk reports a read error") from None
    if is_other and known:
        raise file_error(source.label, "changed while it was read; try again")
    if is_other and not whole_lines:
        raise _OtherEncodingError
    if is_other:
        yield from _in_windows_1252(source, size, row - 1, whole_lines=True, only_utf=only_utf)


def _plain(source: Source, file: BinaryIO) -> io.BufferedReader:
    name = "" if source.path is None else source.path.name
    return unpacked(source.label, name, file, is_data_name)


def _is_windows_1252(source: Source) -> bool:
    """Whether all of `source` is text in Windows-1252; False for data that cannot be read."""
    with source.open() as file:
        try:
            plain = _plain(source, file)
            marks = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            return not plain.peek(4)[:4].startswith(marks) and is_windows_1252(plain)
        except (DamagedDataError, DataError, OSError):
            return False


def _encoding(label: str, plain: io.BufferedReader) -> str:
    head = plain.peek(4)[:4]
    if head in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        raise file_error(label, "is UTF-32; convert it: iconv -f UTF-32 -t UTF-8 FILE > NEW")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if plain.peek(len(LFS_POINTER)).startswith(LFS_POINTER):
        raise lfs_pointer(label)
    if head == b"PAR1":
        raise file_error(label, "is Parquet data; give it a name that ends in .parquet")
    return "utf-8-sig"


def _nul_error(source: Source, row: int) -> DataError:
    """The refusal of a NUL byte, which may be half of a letter in UTF-16 without a BOM.

    In UTF-16 every second byte of Latin text is NUL, and the parity of these bytes tells the order.
    """
    try:
        with source.open() as file, _plain(source, file) as plain:
            head = plain.peek(CHUNK_BYTES)[:CHUNK_BYTES]
    except DamagedDataError as error:
        return row_error(source.label, row, str(error))
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) // 4 and min(even, odd) < len(head) // 16:
        order = "UTF-16BE" if even > odd else "UTF-16LE"
        reason = f"holds NUL bytes: {order} without a byte order mark"
        return row_error(source.label, row, f"{reason}; {CONVERT.format(order)}")
    return row_error(source.label, row, "holds a NUL byte, which is not text; remove it")


def _decoding_error(source: Source, advice: str) -> DataError:
    """The refusal with the row and byte at which decoding failed, and `advice` for ASCII so far.

    It takes a second pass, because the first decodes ahead of the line that it yields. Packed data
    that is damaged is refused for that, since its text ends there.
    """
    try:
        return _decoding_error_at(source, advice)
    except DamagedDataError as error:
        return file_error(source.label, str(error))


def _decoding_error_at(source: Source, advice: str) -> DataError:
    bytes_read = row = 0
    is_ascii = True
    with source.open() as file:
        plain = _plain(source, file)
        encoding = _encoding(source.label, plain)
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        while True:
            chunk = plain.read(CHUNK_BYTES)
            bytes_read += len(chunk)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                # The object may begin with bytes that the decoder held back from the last chunk.
                offset = bytes_read - len(error.object) + error.start
                before = error.object[: error.start]
                row += before.count(b"\n") + 1
                if encoding == "utf-16":
                    advice = "copy the file again: it is cut off or damaged there"
                elif not (is_ascii and before.isascii()):
                    advice = "the text before it is UTF-8: correct this row, or " + SAVE_AS_UTF_8
                reason = f"is not {ENCODING_NAMES[encoding]} text (byte {offset}); {advice}"
                return row_error(source.label, row, reason)
            if not chunk:
                break
            is_ascii &= text.isascii()
            row += text.count("\n")
    return file_error(source.label, "changed while it was read; try again")
