"""Files unpacked by their first bytes, and read as far as they are whole."""

import bz2
import gzip
import io
import lzma
import os
import time
import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial

import pytest
import zstandard

from pipeline.claims.formats.compression import DamagedError, is_packed, unpacked

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
    "deflate": zlib.compress,
    "deflate, fast": partial(zlib.compress, level=3),
}
TEXT = b"".join(b"line %d %b\n" % (i, os.urandom(20).hex().encode()) for i in range(20_000))
EACH = pytest.mark.parametrize("packer", PACKERS)


def lines(data: bytes) -> tuple[bytes, bool]:
    """What can be read, and whether the file is damaged."""
    whole = []
    try:
        for line in unpacked(io.BytesIO(data)):
            whole.append(line)
    except DamagedError:
        return b"".join(whole), True
    return b"".join(whole), False


@EACH
def test_whole(packer: str) -> None:
    packed = PACKERS[packer](TEXT)
    assert is_packed(packed)
    assert lines(packed) == (TEXT, False)


@EACH
def test_several_streams(packer: str) -> None:
    pack = PACKERS[packer]
    assert lines(pack(TEXT[:1000]) + pack(TEXT[1000:])) == (TEXT, False)


@EACH
def test_cut(packer: str) -> None:
    packed = PACKERS[packer](TEXT)
    read, is_damaged = lines(packed[: len(packed) // 2])
    assert is_damaged
    assert TEXT.startswith(read)
    assert len(read) > (-1 if packer in ("bzip2", "zstd") else len(TEXT) // 4)  # by their blocks


@EACH
@pytest.mark.parametrize("rest", [b"garbage", b"\0\0\0x", bytes(8), b"\0"])
def test_what_follows_a_stream_and_is_none(packer: str, rest: bytes) -> None:
    """Padding is no damage; anything else is, and takes nothing of the stream with it."""
    assert lines(PACKERS[packer](TEXT) + rest) == (TEXT, bool(rest.strip(b"\0")))


@EACH
@pytest.mark.parametrize("place", [0, 1, 2, "cut after 1", "cut after 3"])
def test_a_damaged_stream_behind_a_whole_one(packer: str, place: int | str) -> None:
    """Python's readers of bz2 and xz ended there, as if the file did."""
    whole, second = PACKERS[packer](TEXT), bytearray(PACKERS[packer](TEXT))
    if isinstance(place, int):
        second[place] ^= 0xFF
    else:
        del second[int(place[-1]) :]
    assert lines(whole + second) == (TEXT, True)


@EACH
def test_changed(packer: str) -> None:
    packed = bytearray(PACKERS[packer](TEXT))
    place = len(packed) // 2
    packed[place : place + 8] = bytes(8)
    assert lines(bytes(packed))[1] or packer in ("zstd",)  # it has no checksum by default


@pytest.mark.parametrize("data", [b"", b"{}\n", b"x", b"xylophone\n", b"BZ", b"BZhid,a\n", b"\x1f"])
def test_plain(data: bytes) -> None:
    assert not is_packed(data)
    assert lines(data) == (data, False)


def test_trouble_with_the_file_system_is_no_damage() -> None:
    class Broken(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: object) -> int:
            raise ConnectionResetError(104, "reset")

    with pytest.raises(ConnectionResetError):
        unpacked(Broken()).read()


def test_a_dictionary_of_gigabytes_is_not_made() -> None:
    """A file of 180 KB took 1.2 GB."""
    header_at, size_at, crc_at = 12, 16, 20
    packed = bytearray(lzma.compress(TEXT, preset=0))
    packed[size_at] = 37  # 1.5 GiB
    packed[crc_at : crc_at + 4] = zlib.crc32(packed[header_at:crc_at]).to_bytes(4, "little")
    assert lines(bytes(packed)) == (b"", True)
    packed[size_at] = 30  # 128 MiB
    packed[crc_at : crc_at + 4] = zlib.crc32(packed[header_at:crc_at]).to_bytes(4, "little")
    assert lines(bytes(packed)) == (TEXT, False)


@EACH
def test_a_bomb_is_unpacked_in_pieces(packer: str) -> None:
    """200 bytes of zstd may be 6 MB, and some kilobytes kept a worker busy for minutes."""
    size = 40 << 20
    packed = PACKERS[packer](bytes(size))
    file = unpacked(io.BytesIO(packed))
    tracemalloc.start()
    began = time.thread_time()
    try:
        assert sum(map(len, iter(partial(file.read, 1 << 20), b""))) == size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 << 20
    assert time.thread_time() - began < 2
