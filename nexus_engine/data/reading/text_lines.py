"""Decode a text file strictly: UTF-8 with or without a BOM, or UTF-16 with one; gzip or plain."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Generator
from typing import BinaryIO, cast

from nexus_engine.data.messages import file_error, row_error
from nexus_engine.data.reading.sources import Source
from nexus_engine.errors import DataError

__all__ = ["text_lines", "text_pieces"]

GZIP_MAGIC = b"\x1f\x8b"
MAX_LINE_CHARACTERS = 8_000_000
"""A line of this length is refused: without a limit, a file that has no line end would fill the
memory before it could be refused."""
CHUNK_BYTES = 1 << 16

ENCODING_NAMES = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16"}
CONVERT = "convert the file: iconv -f {} -t UTF-8 FILE > NEW"
SAVE_AS_UTF_8 = "save the file again as UTF-8 in the program that wrote it"
UNDEFINED_IN_1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")


def text_lines(source: Source) -> Generator[str]:
    """Yield each line with its line end (LF, CR LF or CR, in any mixture).

    Raises DataError, with the number of the line, for bytes that the encoding does not allow, NUL,
    a line of 8 million characters, and gzip data that is cut off or damaged.
    """
    return _text(source, MAX_LINE_CHARACTERS, whole_lines=True)


def text_pieces(source: Source, max_characters: int = 1 << 16) -> Generator[str]:
    """Yield the text in pieces of at most `max_characters`, for formats that are not by line."""
    return _text(source, max_characters, whole_lines=False)


def _text(source: Source, size: int, *, whole_lines: bool) -> Generator[str]:
    row = 0
    piece = "\n"
    with source.open() as file:
        try:
            plain = _decompressed(source, file)
            encoding = _encoding(source.label, plain)
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
            raise _decoding_error(source) from None
        except EOFError:
            reason = "the gzip data is cut off; copy or download the file again"
            raise row_error(source.label, max(1, row), reason) from None
        except (gzip.BadGzipFile, zlib.error):
            reason = "the gzip data is damaged; copy or download the file again"
            raise row_error(source.label, max(1, row), reason) from None
        except OSError:
            raise row_error(source.label, max(1, row), "the disk reports a read error") from None


def _decompressed(source: Source, file: BinaryIO) -> io.BufferedReader:
    """The bytes of `file`, decompressed if they are gzip data, whatever the name of the file."""
    is_gzip = file.read(2) == GZIP_MAGIC
    file.seek(0)
    if is_gzip:
        return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=file)), CHUNK_BYTES)
    if source.path is not None and source.path.suffix.lower() == ".gz" and file.read(1):
        reason = "is not gzip data, though its name ends in .gz; rename it without .gz"
        raise file_error(source.label, reason)
    return io.BufferedReader(cast("io.RawIOBase", file), CHUNK_BYTES)


def _encoding(label: str, plain: io.BufferedReader) -> str:
    head = plain.peek(4)[:4]
    if head in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        raise file_error(label, "is UTF-32; convert it: iconv -f UTF-32 -t UTF-8 FILE > NEW")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head == b"PAR1":
        raise file_error(label, "is Parquet data; give it a name that ends in .parquet")
    return "utf-8-sig"


def _nul_error(source: Source, row: int) -> DataError:
    """The refusal of a NUL byte, which may be half of a letter in UTF-16 without a BOM.

    In UTF-16 every second byte of Latin text is NUL, and the parity of these bytes tells the order.
    """
    with source.open() as file, _decompressed(source, file) as plain:
        head = plain.peek(CHUNK_BYTES)[:CHUNK_BYTES]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) // 4 and min(even, odd) < len(head) // 16:
        order = "UTF-16BE" if even > odd else "UTF-16LE"
        reason = f"holds NUL bytes: {order} without a byte order mark"
        return row_error(source.label, row, f"{reason}; {CONVERT.format(order)}")
    return row_error(source.label, row, "holds a NUL byte, which is not text; remove it")


def _decoding_error(source: Source) -> DataError:
    """The refusal with the row and byte at which decoding failed.

    It takes a second pass, because the first decodes ahead of the line that it yields.
    """
    bytes_read = row = 0
    is_ascii = True
    with source.open() as file:
        plain = _decompressed(source, file)
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
                else:
                    advice = _conversion(error.object[error.start :], plain)
                reason = f"is not {ENCODING_NAMES[encoding]} text (byte {offset}); {advice}"
                return row_error(source.label, row, reason)
            if not chunk:
                break
            is_ascii &= text.isascii()
            row += text.count("\n")
    return file_error(source.label, "changed while it was read; try again")


def _conversion(head: bytes, rest: io.BufferedReader) -> str:
    """How to convert a file with one byte per character, judged by its bytes from 0x80 to 0x9f.

    Windows-1252 has quotes, dashes and the euro sign where Latin-1 has control characters, which no
    text holds. It leaves a few of the bytes undefined; a file with those is in neither encoding.
    """
    high: set[int] = set()
    chunk = head
    while chunk:
        high.update(byte for byte in set(chunk) if 0x80 <= byte <= 0x9F)
        chunk = rest.read(CHUNK_BYTES)
    if high & UNDEFINED_IN_1252:
        return SAVE_AS_UTF_8
    return CONVERT.format("WINDOWS-1252" if high else "LATIN1")
