"""Stored files, unpacked according to their first bytes, whatever their names."""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any, cast

import zstandard

_MAGIC_BYTES = 6
_UNPACKED_BYTES = 1 << 16
_PLAIN_BYTES = 1 << 20
_STEP_BYTES = 1 << 10
"""Packed bytes that are read at a time; what damage among them leaves of them is lost."""
_ZSTD_STEP_BYTES = 1 << 8
"""The same of zstd, which gives all of it at once: four bytes may be 128 KB, a bomb's step 8 MB."""
_XZ_MEMORY = 130 << 20
"""Bytes for a dictionary of 128 MiB, which is what zstd takes at most too; xz itself uses 64 MiB at
most, but a file may ask for 4 GiB."""
_GZIP = 16 + zlib.MAX_WBITS
_PADDING = b"\0"
"""What may fill a file up behind its last stream: tapes do, and xz allows it."""
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


class DamagedError(Exception):
    """A file that cannot be read on, for its own sake: to try again is of no use."""


class _Inflate:
    """`zlib`'s decompression object, used like those of the other packers."""

    def __init__(self, wbits: int) -> None:
        self._object = zlib.decompressobj(wbits)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail

    def __getattr__(self, name: str) -> Any:  # `eof` and `unused_data`
        return getattr(self._object, name)


class _Zstd:
    """The same for zstd, whose object knows no bound."""

    needs_input = True

    def __init__(self) -> None:
        self._object = zstandard.ZstdDecompressor().decompressobj()

    def decompress(self, data: bytes, _max_length: int) -> bytes:
        return self._object.decompress(data)

    def __getattr__(self, name: str) -> Any:  # `eof` and `unused_data`
        return getattr(self._object, name)


class _Stream(io.RawIOBase):
    """Unpacks with decompression objects, one after the other, as streams follow each other.

    Damaged bytes raise `DamagedError`; a failure to read them does not.

    Python's own readers take what follows a stream of bz2 or xz and is none for the end of the
    file, so that all streams behind a damaged one would be lost without a word; and those of gzip,
    too, lose what they have unpacked where damage follows.
    """

    def __init__(self, file: IO[bytes], decompressor: Callable[[], Any]) -> None:
        self._file, self._new = file, decompressor
        self._step_bytes = _ZSTD_STEP_BYTES if decompressor is _Zstd else _STEP_BYTES
        self._current = decompressor()
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            while not self._ready and self._unpack():
                pass
        except _DAMAGE:
            raise DamagedError from None
        except OSError as error:
            if type(error) is OSError and error.errno is None:  # all that bz2 says
                raise DamagedError from None
            raise
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def _unpack(self) -> bool:
        """Unpack one more step, which may yield nothing yet; False at the end of the file."""
        packed, was_read = b"", False
        if self._current.eof:
            packed = self._next_stream()
            if not packed:
                return False
            self._current = self._new()
        elif self._current.needs_input:
            packed, was_read = self._file.read(self._step_bytes), True
        # Even without input, output may be left; or none, if the last step ended exactly with it.
        self._ready = memoryview(self._current.decompress(packed, _UNPACKED_BYTES))
        if was_read and not (packed or self._ready or self._current.eof):
            raise EOFError
        return True

    def _next_stream(self) -> bytes:
        """How the next stream begins; nothing at the end of the file."""
        packed: bytes = self._current.unused_data.lstrip(_PADDING)
        while not packed and (more := self._file.read(self._step_bytes)):
            packed = more.lstrip(_PADDING)
        return packed


_UNPACKERS: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b": lambda: _Inflate(_GZIP),
    **{b"BZh%d" % level: bz2.BZ2Decompressor for level in range(1, 10)},
    b"\xfd7zXZ\0": lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY),
    b"\x28\xb5\x2f\xfd": _Zstd,
    **{
        b"\x78" + level: lambda: _Inflate(zlib.MAX_WBITS)
        for level in (b"\x01", b"\x5e", b"\x9c", b"\xda")
    },
}
"""What unpacks all that Beam reads, by the first bytes."""


def is_packed(beginning: bytes) -> bool:
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
    for magic, decompressor in _UNPACKERS.items():
        if beginning.startswith(magic):
            return io.BufferedReader(_Stream(buffered, decompressor), _UNPACKED_BYTES)
    return buffered
