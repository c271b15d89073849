"""Lines of a text file, decoded strictly: UTF-8 (BOM or not) or UTF-16 with a BOM, gzip or not."""

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
LINE_CHARACTERS = 8_000_000
"""A line of this length ends the reading: without a bound, a file that holds no line end would be
read whole into memory before anything could be said about it."""
CHUNK_BYTES = 1 << 16

NAMES = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16"}
CONVERT = "convert the file: iconv -f {} -t UTF-8 FILE > NEW"
UNKNOWN = "save the file again as UTF-8 in the program that wrote it"
UNDEFINED_IN_1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")


def text_lines(source: Source) -> Generator[str]:
    """Yield each line with its line end (LF, CR LF or CR, mixed at will).

    Raises DataError, with the line's number, for bytes that are not the encoding's, NUL, a line
    of 8 million characters, and gzip data that is cut off or damaged.
    """
    return _text(source, LINE_CHARACTERS, whole_lines=True)


def text_pieces(source: Source) -> Generator[str]:
    """The same text in pieces of 64k characters at most, for formats that are not by line."""
    return _text(source, CHUNK_BYTES, whole_lines=False)


def _text(source: Source, size: int, *, whole_lines: bool) -> Generator[str]:
    number = 0
    line = "\n"
    with source.open() as file:
        try:
            plain = _decompressed(source, file)
            encoding = _encoding(source.label, plain)
            with io.TextIOWrapper(plain, encoding, errors="strict", newline="") as text:
                while True:
                    # A piece counts as a line where the one before ended one.
                    number += whole_lines or line.endswith(("\n", "\r"))
                    line = text.readline(size)
                    if not line:
                        return
                    if whole_lines and len(line) == size:
                        raise row_error(source.label, number, "the line is longer than 8 MB")
                    if "\0" in line:
                        raise _nul(source, number)
                    yield line
        except UnicodeDecodeError:
            raise _not_text(source) from None
        except EOFError:
            reason = "the gzip data is cut off; copy or download the file again"
            raise row_error(source.label, max(1, number), reason) from None
        except (gzip.BadGzipFile, zlib.error):
            reason = "the gzip data is damaged; copy or download the file again"
            raise row_error(source.label, max(1, number), reason) from None
        except OSError:
            raise row_error(source.label, max(1, number), "the disk reports a read error") from None


def _decompressed(source: Source, file: BinaryIO) -> io.BufferedReader:
    """The bytes of `file`, unpacked when they are gzip, whatever the file is called."""
    is_gzip = file.read(2) == GZIP_MAGIC
    file.seek(0)
    if is_gzip:
        return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=file)), CHUNK_BYTES)
    if source.path is not None and source.path.suffix.lower() == ".gz" and file.read(1):
        raise file_error(
            source.label, "is not gzip data, though its name ends in .gz; rename it without"
        )
    return io.BufferedReader(cast("io.RawIOBase", file), CHUNK_BYTES)


def _encoding(label: str, plain: io.BufferedReader) -> str:
    head = plain.peek(4)[:4]
    if head in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        raise file_error(label, "is UTF-32; convert it: iconv -f UTF-32 -t UTF-8 FILE > NEW")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head == b"PAR1":
        raise file_error(label, "is Parquet data; let its name end in .parquet")
    return "utf-8-sig"


def _nul(source: Source, number: int) -> DataError:
    """In UTF-16 the bytes of Latin letters are every second one NUL: which of them tells the order.

    Its mark, where a file has one, is looked at before.
    """
    with source.open() as file, _decompressed(source, file) as plain:
        head = plain.peek(CHUNK_BYTES)[:CHUNK_BYTES]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) // 4 and min(even, odd) < len(head) // 16:
        order = "UTF-16BE" if even > odd else "UTF-16LE"
        advice = CONVERT.format(order)
        return row_error(source.label, number, f"holds NUL bytes: {order} without a mark; {advice}")
    return row_error(source.label, number, "holds a NUL byte, which is not text; remove it")


def _not_text(source: Source) -> DataError:
    """Where the decoding failed. A second pass: the first decodes ahead of the line it is at."""
    fed = row = 0
    is_ascii = True
    with source.open() as file:
        plain = _decompressed(source, file)
        encoding = _encoding(source.label, plain)
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        while True:
            chunk = plain.read(CHUNK_BYTES)
            fed += len(chunk)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                # What was held back from the chunk before is part of what failed.
                offset = fed - len(error.object) + error.start
                row += error.object[: error.start].count(b"\n") + 1
                before = error.object[: error.start]
                if encoding == "utf-16":
                    advice = "copy the file again: it is cut off or damaged there"
                elif not (is_ascii and before.isascii()):
                    advice = "what stands before is UTF-8: correct this row, or " + UNKNOWN
                else:
                    advice = _conversion(error.object[error.start :], plain)
                reason = f"is not {NAMES[encoding]} text (byte {offset}); {advice}"
                return row_error(source.label, row, reason)
            if not chunk:
                break
            is_ascii &= text.isascii()
            row += text.count("\n")
    return file_error(source.label, "changed while it was read; try again")


def _conversion(begun: bytes, rest: io.BufferedReader) -> str:
    """What to convert a file of one byte a character from, by the bytes that it holds.

    Windows-1252 has quotes, dashes and the euro sign where Latin-1 has control characters, which no
    text holds; the few bytes that it leaves undefined are of neither.
    """
    high: set[int] = set()
    chunk = begun
    while chunk:
        high.update(byte for byte in set(chunk) if 0x80 <= byte <= 0x9F)
        chunk = rest.read(CHUNK_BYTES)
    if high & UNDEFINED_IN_1252:
        return UNKNOWN
    return CONVERT.format("WINDOWS-1252" if high else "LATIN1")
