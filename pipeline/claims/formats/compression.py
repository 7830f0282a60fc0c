"""Stored files, unpacked according to their first bytes, whatever their names."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any, cast

import zstandard

_MAGIC_BYTES = 6
_UNPACKED_BYTES = 1 << 16
_PLAIN_BYTES = 1 << 20
_STEP_BYTES = 1 << 8
"""Packed bytes that are unpacked at a time: four of them may be 128 KB, so that a bomb makes at
most 8 MB of them."""
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError)


class DamagedError(Exception):
    """A file that cannot be read on, for its own sake: to try again is of no use."""


class _Stream(io.RawIOBase):
    """Unpacks with decompression objects, one after the other, as streams follow each other."""

    def __init__(self, file: IO[bytes], decompressor: Callable[[], Any]) -> None:
        self._file, self._new = file, decompressor
        self._current = decompressor()
        self._ready = memoryview(b"")
        self._has_begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            packed = b""
            if self._current.eof:
                packed, self._current = self._current.unused_data, self._new()
                self._has_begun = False
            packed = packed or self._file.read(_STEP_BYTES)
            if not packed:
                if self._has_begun:
                    raise EOFError
                return 0
            self._has_begun = True
            self._ready = memoryview(self._current.decompress(packed))
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


_UNPACKERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": lambda file: _Stream(
        file, lambda: zstandard.ZstdDecompressor().decompressobj()
    ),
    **{
        b"\x78" + level: lambda file: _Stream(file, zlib.decompressobj)
        for level in (b"\x01", b"\x9c", b"\xda")
    },
}
"""All that Beam reads, by the first bytes."""


class _Checked(io.RawIOBase):
    """Raises `DamagedError` for what is wrong with the bytes, and not with getting at them."""

    def __init__(self, unpacked: Any) -> None:
        self._unpacked = unpacked

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._unpacked.read(len(buffer))
        except _DAMAGE:
            raise DamagedError from None
        except OSError as error:
            if type(error) is OSError and error.errno is None:  # all that bz2 says
                raise DamagedError from None
            raise
        buffer[: len(data)] = data
        return len(data)


def is_packed(beginning: bytes) -> bool:
    """Whether a file that begins so is compressed."""
    return beginning.startswith(tuple(_UNPACKERS))


def as_stored(file: IO[bytes]) -> io.BufferedReader:
    """A file in large pieces, and not unpacked."""
    return io.BufferedReader(cast(io.RawIOBase, file), _PLAIN_BYTES)


def unpacked(file: IO[bytes]) -> IO[bytes]:
    """The contents of a file, which closing it does not close.

    Reading raises `DamagedError` where they are damaged.
    """
    buffered = as_stored(file)
    beginning = buffered.peek(_MAGIC_BYTES)[:_MAGIC_BYTES]
    for magic, unpacker in _UNPACKERS.items():
        if beginning.startswith(magic):
            checked = _Checked(unpacker(buffered))
            return io.BufferedReader(checked, _UNPACKED_BYTES)
    return buffered
