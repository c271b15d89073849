"""Unpack gzip, bzip2, xz and zip data as it is read, whatever the name of the file.

Packed data may come from a stranger. It is unpacked a piece at a time, a zip file by the one data
file in it, xz with little memory, and nothing that grows out of all proportion is read on.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import BinaryIO, Protocol, cast

from nexus_engine.data.messages import file_error
from nexus_engine.errors import DataError

__all__ = ["PACKED_SUFFIXES", "DamagedDataError", "member_name", "packing_of", "unpacked"]

PACKED_SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zip": "zip"}
"""What the last part of a file's name says of its packing."""
MAGIC = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "zip": re.compile(rb"PK(?:\x03\x04|\x05\x06)"),
}
HEAD_BYTES = 10
"""The longest of these."""
CHUNK_BYTES = 1 << 16
MAX_XZ_MEMORY = 256 << 20
"""`xz -9` needs 65 MB to unpack; a forged header could ask for 4 GB."""
BOMB_BYTES = 64 << 20
BOMB_RATIO = 500
"""Beyond BOMB_BYTES, data this many times as large as the packed file is refused: text shrinks to a
hundredth at most, while the tightest bombs of gzip reach 1,000 and of bzip2 a million."""
MAX_MEMBERS = 10_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Of zip: the others are rare, and one needs as much memory as its header says."""
ENCRYPTED = 0x1

IsData = Callable[[str], bool]


class DamagedDataError(Exception):
    """Packed data is damaged or cut off; the message says which."""


class _Reader(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def packing_of(head: bytes) -> str:
    """The packing that the first bytes of a file show; empty for plain data."""
    return next((name for name, magic in MAGIC.items() if magic.match(head)), "")


def unpacked(label: str, name: str, file: BinaryIO, is_data: IsData) -> io.BufferedReader:
    """The bytes of `file`, which stands at its start, without their packing.

    `name` is the file's own name, `is_data` tells data files from others by their names in a zip
    file. Reading raises DamagedDataError for packed data that is damaged or cut off.
    Raises DataError for a file whose name says that it is packed though it is not, and for a zip
    file that cannot be used.
    """
    head = file.read(HEAD_BYTES)
    packing = packing_of(head)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    claimed = PACKED_SUFFIXES.get(PurePath(name).suffix.lower(), "")
    if claimed and not packing and head:
        suffix = PurePath(name).suffix.lower()
        reason = f"is not {claimed} data, though its name ends in {suffix}"
        raise file_error(label, f"{reason}; rename it without {suffix}")
    reader: _Reader = file
    match packing:
        case "gzip":
            reader = gzip.GzipFile(fileobj=file)
        case "bzip2":
            reader = _Streams(file, bz2.BZ2Decompressor)
        case "xz":
            reader = _Streams(file, _xz_decoder)
        case "zip":
            reader = _open_member(label, file, is_data)
    if packing:
        reader = _Unpacked(label, packing, reader, size)
    return io.BufferedReader(cast("io.RawIOBase", reader), CHUNK_BYTES)


def member_name(label: str, file: BinaryIO, is_data: IsData) -> str:
    """The name of the one data file in a zip file. Raises DataError as `unpacked` does."""
    head = file.read(HEAD_BYTES)
    if packing_of(head) != "zip":
        reason = "is not zip data, though its name ends in .zip; rename it" if head else "is empty"
        raise file_error(label, reason)
    with _directory(label, file) as archive:
        return _member(label, archive, is_data).filename


def _xz_decoder() -> _Decoder:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)


class _Streams:
    """The unpacked bytes of bzip2 or xz streams that follow each other."""

    def __init__(self, file: BinaryIO, new_decoder: Callable[[], _Decoder]) -> None:
        self._file = file
        self._new_decoder = new_decoder
        self._decoder = new_decoder()

    def read(self, size: int = -1, /) -> bytes:
        while True:
            waiting = b""
            if self._decoder.eof:
                waiting = self._decoder.unused_data or self._file.read(CHUNK_BYTES)
                while waiting and not (waiting := waiting.lstrip(b"\0")):  # xz may be padded
                    waiting = self._file.read(CHUNK_BYTES)
                if not waiting:
                    return b""
                self._decoder = self._new_decoder()
            elif self._decoder.needs_input:
                waiting = self._file.read(CHUNK_BYTES)
                if not waiting:
                    raise EOFError
            data = self._decoder.decompress(waiting, size)
            if data:
                return data


class _Unpacked(io.RawIOBase):
    """What `reader` unpacks, with its faults as DamagedDataError, and no bomb."""

    def __init__(self, label: str, packing: str, reader: _Reader, packed_bytes: int) -> None:
        self._label, self._packing, self._reader = label, packing, reader
        self._limit = max(BOMB_BYTES, BOMB_RATIO * packed_bytes)
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        with _faults(self._packing):
            data = self._reader.read(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        if self._count > self._limit:
            raise _bomb(self._label, self._packing)
        return len(data)


def _bomb(label: str, packing: str) -> DataError:
    reason = f"the {packing} data unpacks to more than {BOMB_RATIO} times its size"
    return file_error(label, f"{reason}; unpack it and look at what it is")


@contextmanager
def _faults(packing: str) -> Iterator[None]:
    again = "copy or download the file again"
    try:
        yield
    except EOFError:
        raise DamagedDataError(f"the {packing} data is cut off; {again}") from None
    except lzma.LZMAError as error:
        if "emory" in str(error):
            reason = "the xz data needs more than 256 MB of memory to unpack"
            raise DamagedDataError(f"{reason}; unpack it: xz -d FILE") from None
        raise DamagedDataError(f"the {packing} data is damaged; {again}") from None
    except (gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, ValueError):
        raise DamagedDataError(f"the {packing} data is damaged; {again}") from None
    except OSError as error:
        if error.errno is not None:  # of the disk
            raise
        raise DamagedDataError(f"the {packing} data is damaged; {again}") from None


@contextmanager
def _directory(label: str, file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """The zip file. Raises DataError for a damaged one."""
    try:
        yield zipfile.ZipFile(file)
    except DataError:
        raise
    except NotImplementedError:
        raise file_error(label, "is a zip file of a kind that is not read; pack it again") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError):
        reason = "the zip data is damaged or cut off; copy or download the file again"
        raise file_error(label, reason) from None


def _open_member(label: str, file: BinaryIO, is_data: IsData) -> _Reader:
    with _directory(label, file) as archive:
        return archive.open(_member(label, archive, is_data))


def _member(label: str, archive: zipfile.ZipFile, is_data: IsData) -> zipfile.ZipInfo:
    """The one data file. Raises DataError if there is none, or more, or one that is not read."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise file_error(label, f"holds more than {MAX_MEMBERS:,} files; give a zip file with one")
    if any(member.filename == "xl/workbook.xml" for member in members):
        raise file_error(label, "is an Excel workbook; save its sheet as CSV (UTF-8)")
    files = [member for member in members if is_data(member.filename) and not member.is_dir()]
    files = [member for member in files if not _is_hidden(member.filename)]
    if not files:
        reason = "holds no data file (.csv, .tsv, .jsonl)"
        raise file_error(label, f"{reason}; pack one, or give the unpacked folder")
    if len(files) > 1:
        reason = f"holds {len(files):,} data files where one is read"
        raise file_error(label, f"{reason}; unpack it and give one of them, or the folder")
    if files[0].flag_bits & ENCRYPTED:
        raise file_error(label, "is encrypted; unpack it with its password")
    if files[0].compress_type not in METHODS:
        reason = "is packed by a method of zip that is not read"
        raise file_error(label, f"{reason}; pack it again, or unpack it")
    if files[0].file_size > max(BOMB_BYTES, BOMB_RATIO * files[0].compress_size):
        raise _bomb(label, "zip")
    return files[0]


def _is_hidden(name: str) -> bool:
    """Whether a file was put there by an operating system, as `__MACOSX/._pairs.csv` is."""
    parts = PurePath(name).parts
    return "__MACOSX" in parts or parts[-1].startswith("._")
