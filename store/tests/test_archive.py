from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import zlib
from typing import TYPE_CHECKING

import pytest
import zstandard
from hostile import BLOCK, END, file, header, long_name, padded, pax
from hypothesis import given
from hypothesis import strategies as st
from store_strategies import archive_files

from mmpm_store.archive import collect_archive, read_archive, strip_top
from mmpm_store.errors import ArchiveError, quoted
from mmpm_store.tar import ArchiveFile, Limits

if TYPE_CHECKING:
    from pathlib import Path


def refused(data: bytes, *words: str, limits: Limits | None = None) -> str:
    with pytest.raises(ArchiveError) as caught:
        collect_archive(data, limits or Limits())
    fact = caught.value.fact
    assert fact.isascii()
    assert fact.isprintable()
    assert len(fact) < 1000
    for word in words:
        assert word in fact
    return fact


FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


@given(archive_files(), st.sampled_from(FORMATS), st.sampled_from(["tar", "gz", "zst"]), st.booleans(), st.booleans())
def test_what_other_tools_pack_reads_back(
    files: list[ArchiveFile], form: int, packing: str, dotted: bool, folders: bool
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        if dotted:
            top = tarfile.TarInfo("./")
            top.type = tarfile.DIRTYPE
            tar.addfile(top)
        made: set[str] = set()
        for one in files:
            folder = os.path.dirname(one.path)
            if folders and folder and folder not in made:
                made.add(folder)
                info = tarfile.TarInfo(folder)
                info.type = tarfile.DIRTYPE
                info.mode = 0o755
                try:
                    tar.addfile(info)
                except ValueError:
                    return  # ustar cannot hold it
            info = tarfile.TarInfo(("./" if dotted else "") + one.path)
            info.size = len(one.data)
            info.mode = 0o4755 if one.executable else 0o664
            info.mtime = 1234567890
            info.uname = "someone"
            try:
                tar.addfile(info, io.BytesIO(one.data))
            except ValueError:
                return
    packed = {"tar": bytes, "gz": gzip.compress, "zst": zstandard.compress}[packing](buffer.getvalue())
    assert collect_archive(packed) == files
    assert collect_archive(io.BytesIO(packed)) == files


@given(st.binary(max_size=3000))
def test_no_bytes_do_worse_than_be_refused(data: bytes) -> None:
    for start in (b"", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", gzip.compress(data)[:-3]):
        with pytest.raises(ArchiveError):
            collect_archive(start + data)


@given(
    archive_files(),
    st.integers(0, 4000),
    st.binary(min_size=1, max_size=4),
    st.sampled_from([bytes, gzip.compress, zstandard.compress]),
)
def test_a_changed_archive_is_refused_or_still_safe(
    files: list[ArchiveFile], where: int, what: bytes, pack: type[bytes]
) -> None:
    raw = b"".join(file(b"a%d" % number, one.data) for number, one in enumerate(files)) + END
    packed = pack(raw)
    where %= len(packed)
    try:
        found = collect_archive(packed[:where] + what + packed[where + len(what) :])
    except ArchiveError:
        return
    assert all(".." not in one.path.split("/") and not one.path.startswith("/") for one in found)


@given(st.sampled_from([bytes, gzip.compress, zstandard.compress]), st.integers(0, 3000))
def test_a_cut_archive_is_refused(pack: type[bytes], length: int) -> None:
    packed = pack(file(b"a", b"some text") + file(b"b", bytes(range(256)) * 4) + END)
    refused(packed[: min(length, len(packed) - 1)])


NAMES = {
    "parent": b"../f", "hidden parent": b"a/../../f", "absolute": b"/etc/passwd", "backslash": b"a\\b", "drive": b"C:f", "control": b"a\x1b[2Jb", "newline": b"a\nb",
    "not UTF-8": b"\xff\xfe", "device": b"aux.txt", "dot end": b"a.", "empty part": b"a//b", "dot": b".", "slash end": b"a/", "dots": b"..", "empty": b"", "bidi": "a\u202etxt".encode(),
    "surrogate": b"\xed\xa0\x80", "doubly absolute": b".//etc/passwd",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize("how", ["ustar", "pax", "gnu"])
def test_a_name_that_leaves_its_place_is_refused(name: bytes, how: str) -> None:
    if how == "ustar":
        data = file(name) + END
    elif how == "gnu":
        data = long_name(name) + file(b"harmless") + END
    else:
        length = len(name) + len(b" path=\n") + 2
        record = b"%d path=%s\n" % (length, name)
        data = pax(record if len(record) == length else b"%d path=%s\n" % (length - 1, name)) + file(b"harmless") + END
    refused(data, "member")


KINDS = {
    "1": "hard link",
    "2": "symbolic link",
    "3": "device",
    "4": "device",
    "6": "pipe",
    "7": "contiguous",
    "S": "sparse",
    "K": "link",
    "M": "split",
    "Z": "neither",
}


@pytest.mark.parametrize(("kind", "word"), KINDS.items())
def test_anything_but_a_plain_file_or_folder_is_refused(kind: str, word: str) -> None:
    refused(header(b"f", 0, kind.encode(), link=b"/etc/passwd") + END, "'f'", word)
    refused(file(b"first") + header(b"later", 0, kind.encode()) + END, "'later'")


WRONG = {
    "checksum": header(checksum=b"000001\0 ") + END,
    "checksum of letters": header(checksum=b"hello!\0 ") + END,
    "negative size": header(size=b"-0000000001\0") + END,
    "huge octal size": header(size=b"77777777777\0") + END,
    "negative base-256 size": header(size=b"\xff" * 12) + END,
    "huge base-256 size": header(size=b"\xbf" + b"\xff" * 11) + END,
    "size of letters": header(size=b"00000000zz\0") + END,
    "size one over the limit": header(size=32 * 1024 * 1024 + 1) + END,
    "file twice": file(b"a") + file(b"a") + END,
    "case clash": file(b"a") + file(b"A") + END,
    "normal form clash": file("é".encode()) + file("e\u0301".encode()) + END,
    "folder clash": file(b"a/x") + file(b"A/y") + END,
    "file then folder": file(b"a") + file(b"a/b") + END,
    "folder then file": header(b"a/", 0, b"5") + file(b"a") + END,
    "folder with content": header(b"a/", 3, b"5") + padded(b"abc") + END,
    "folder below a file": file(b"a") + header(b"a/b", 0, b"5") + END,
    "file with a slash": file(b"a/") + END,
    "no end": file(b"a"),
    "half an end": file(b"a") + bytes(BLOCK),
    "lone zero block": file(b"a") + bytes(BLOCK) + file(b"b") + END,
    "trailing byte": file(b"a") + END + b"x",
    "second archive": file(b"a") + END + file(b"b") + END,
    "late trailing byte": file(b"a") + END + bytes(100_000) + b"x",
    "data in the padding": header(b"a", 1) + b"x" + b"y" * 511 + END,
    "cut in data": header(b"a", 5000) + bytes(100),
    "pax of nobody": file(b"a") + pax({"path": "b"}) + END,
    "pax twice": pax({"path": "a"}) + pax({"path": "b"}) + file() + END,
    "pax and gnu": pax({"path": "a"}) + long_name(b"b") + file() + END,
    "gnu twice": long_name(b"a") + long_name(b"b") + file() + END,
    "pax with two paths": pax(b"9 path=a\n9 path=b\n") + file() + END,
    "pax sparse": pax({"GNU.sparse.major": "1"}) + file() + END,
    "pax size of letters": pax({"size": "x"}) + file() + END,
    "pax negative size": pax({"size": "-1"}) + file() + END,
    "pax huge size": pax({"size": "9" * 40}) + file() + END,
    "pax size beyond the end": pax({"size": "100000"}) + file() + END,
    "pax binary names": pax({"hdrcharset": "BINARY"}) + file() + END,
    "pax empty path": pax({"path": ""}) + file() + END,
    "pax length too long": pax(b"99 path=a\n") + file() + END,
    "pax length zero": pax(b"0 path=a\n") + file() + END,
    "pax length negative": pax(b"-9 path=a\n") + file() + END,
    "pax without newline": pax(b"9 path=ab") + file() + END,
    "pax garbage": pax(b"\xff\xfe\0\0") + file() + END,
    "pax huge header": header(b"x", 10_000_000, b"x"),
    "gnu huge name": header(b"x", 10_000_000, b"L"),
    "global path": pax({"path": "a"}, b"g") + file() + END,
    "global size": pax({"size": "1"}, b"g") + file() + END,
    "link by pax": pax({"linkpath": "/etc"}) + header(b"a", 0, b"2") + END,
    "nothing": b"",
    "one block": bytes(BLOCK),
    "text": b"#!/bin/sh\n" * 200,
    "zip": b"PK\x03\x04" + bytes(600),
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG.keys())
def test_a_hostile_archive_is_refused_in_one_line(data: bytes) -> None:
    refused(data)
    if data:
        refused(gzip.compress(data))
        refused(zstandard.compress(data))


def test_a_member_is_named_without_its_control_characters() -> None:
    assert "'\\x1b[31mred'" in refused(file(b"\x1b[31mred") + END)


def test_a_second_gzip_member_or_zstd_frame_is_refused() -> None:
    raw = file() + END
    for pack in (gzip.compress, zstandard.compress):
        refused(pack(raw) + pack(raw), "follows")
        refused(pack(raw) + b"x", "follows")
        refused(pack(raw[:600]) + pack(raw[600:]))
        assert len(collect_archive(pack(raw) + bytes(1000))) == 1


def test_what_follows_is_refused_also_where_the_compressed_data_ends_with_a_piece_that_is_read() -> None:
    plain = gzip.compress(file() + END)
    name = b"x" * (64 * 1024 - len(plain) - 1) + b"\0"  # a gzip header may hold a name, which makes any length
    packed = plain[:3] + b"\x08" + plain[4:10] + name + plain[10:]
    assert len(packed) == 64 * 1024
    assert len(collect_archive(packed)) == 1
    refused(packed + b"more", "follows")
    refused(packed + packed, "follows")


def test_a_dictionary_or_a_wide_window_of_zstd_is_refused() -> None:
    raw = file(data=b"some words, some words again" * 50) + END
    wide = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=27)).compressobj()
    refused(wide.compress(raw) + wide.flush(), "window")
    refused(zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(raw)).compress(raw))
    packed = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27)
    ).compressobj()
    allowed = Limits(window_bytes=1 << 27)
    assert len(collect_archive(packed.compress(raw) + packed.flush(), allowed)) == 1


def test_a_file_can_be_refused_before_memory_is_taken_for_it() -> None:
    seen: list[tuple[str, int]] = []

    def admit(path: str, size: int) -> None:
        seen.append((path, size))
        if path == "b":
            raise ArchiveError("is not expected", path)

    data = file(b"a", b"x" * 100) + file(b"b", b"y") + END
    files = read_archive(data, admit=admit)
    assert next(files).path == "a"
    with pytest.raises(ArchiveError, match="is not expected"):
        next(files)
    assert seen == [("a", 100), ("b", 1)]


def test_limits_hold_to_the_byte() -> None:
    data = file(b"a", b"x" * 100) + file(b"b") + END
    assert len(collect_archive(data, Limits(file_bytes=100, members=2, total_bytes=len(data)))) == 2
    refused(data, "longer than 99", limits=Limits(file_bytes=99))
    refused(data, "more than 1 members", limits=Limits(members=1))
    refused(data, "unpacks to more", limits=Limits(total_bytes=len(data) - 1))
    refused(gzip.compress(data), "unpacks to more", limits=Limits(total_bytes=len(data) - 1))
    many = b"".join(header(b"d/", 0, b"5") for _ in range(30)) + END
    refused(many, "members", limits=Limits(members=29))
    refused(
        b"".join(pax({"comment": "x"}, b"g") for _ in range(30)) + file() + END, "members", limits=Limits(members=29)
    )


def test_what_git_and_macos_pack_is_read() -> None:
    data = (
        pax({"comment": "0123456789"}, b"g")
        + header(b"top/", 0, b"5")
        + file(b"top/formula.toml")
        + pax({"mtime": "1.5", "SCHILY.xattr.user.x": "y"})
        + file("top/e\u0301".encode())
        + END
    )
    top, files = strip_top(collect_archive(data))
    assert top == "top"
    assert [one.path for one in files] == ["formula.toml", "é"]


def test_old_tar_and_prefixes_are_read() -> None:
    old = file(b"f", b"abc", kind=b"\0", magic=bytes(8)) + header(b"d/", 0, b"\0", magic=bytes(8)) + END
    assert collect_archive(old) == [ArchiveFile("f", False, b"abc")]
    assert collect_archive(file(b"f", prefix=b"a/b") + END)[0].path == "a/b/f"
    assert collect_archive(file(b"f", prefix=b"a/b", magic=b"ustar  \0") + END)[0].path == "f"
    assert collect_archive(header(b"f", b"\x80" + bytes(10) + b"\x03") + padded(b"abc") + END)[0].data == b"abc"


def test_the_top_folder_is_stripped_only_if_there_is_one() -> None:
    one = ArchiveFile("a/b", True, b"x")
    assert strip_top([one, ArchiveFile("a/c/d", False, b"")]) == (
        "a",
        [ArchiveFile("b", True, b"x"), ArchiveFile("c/d", False, b"")],
    )
    for files in (
        [],
        [one, ArchiveFile("b", False, b"")],
        [one, ArchiveFile("c/b", False, b"")],
        [ArchiveFile("a", False, b"")],
    ):
        assert strip_top(files) == (None, files)


def test_quoting_escapes_and_cuts() -> None:
    assert quoted("a\x1b\u202e\ud800") == "'a\\x1b\\u202e\\ud800'"
    assert len(quoted("\U0001f600" * 10_000)) < 500


def test_reading_is_lazy_and_a_slow_source_will_do() -> None:
    class Drip(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self.data = io.BytesIO(data)

        def read(self, _size: int = -1) -> bytes:
            return self.data.read(7)

    packed = gzip.compress(file(b"a") + file(b"b") + END)
    assert [one.path for one in read_archive(Drip(packed))] == ["a", "b"]  # type: ignore[arg-type]


BOMBS = {
    "gzip": lambda: _layers(zlib.compressobj(9, wbits=31)),
    "zstd": lambda: _layers(zstandard.ZstdCompressor(level=3).compressobj()),
    "many files": lambda: gzip.compress(b"".join(file(b"%d" % number, b"") for number in range(60_000)) + END, 1),
    "many folders": lambda: gzip.compress(
        b"".join(header(b"d%d/" % number, 0, b"5") for number in range(60_000)) + END, 1
    ),
    "incompressible": lambda: header(b"f", 2**33 - 1) + os.urandom(1024),
}


def _layers(packer: object) -> bytes:
    head = header(b"zeros", 2**33 - 1)
    return packer.compress(head) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(600)) + packer.flush()  # type: ignore[attr-defined]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory is read from /proc")
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_within_256_mebibytes(tmp_path: Path, bomb: str) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[bomb]())
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))\n"
        "from mmpm_store.archive import collect_archive\n"
        "from mmpm_store.errors import ArchiveError\n"
        "try:\n    collect_archive(open(sys.argv[1], 'rb'))\n"
        "except ArchiveError as error:\n    print(error.fact)\n"
        # Not ru_maxrss, which a process inherits from the one that started it.
        "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    fact, kib = done.stdout.splitlines()
    assert fact.startswith("archive refused")
    assert int(kib) < 256 * 1024
