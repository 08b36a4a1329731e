"""A hostile archive is refused with one line; registry and store stay as they were; memory stays small."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
import zlib

import pytest
import zstandard
from world import CHECKOUT, World, formula_text, read_tree

PEAK_MEMORY = CHECKOUT / "tests" / "peak_memory.py"
MEMORY_BYTES = 256 * 2**20
FORMULA = formula_text("mol-evil", "1.0.0", {}).encode()


def member(name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname, info.mode = len(data), kind, link, mode
    return info, data


def tar(*members, form=tarfile.USTAR_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info, data in (member("mol-evil/formula.toml", FORMULA), *members):
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zeros(size_bytes, packer):
    """A stream of zero bytes, packed piece by piece."""
    piece = bytes(2**20)
    return b"".join(packer.compress(piece) for _ in range(size_bytes // len(piece))) + packer.flush()


def tar_bomb():
    """One member of 3 GiB of zeros behind a valid header, in a few kilobytes of zstd."""
    info = tarfile.TarInfo("mol-evil/zeros")
    info.size = 3 * 2**30
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return packer.compress(tar_without_end() + info.tobuf(tarfile.USTAR_FORMAT)) + zeros(info.size, packer)


def tar_without_end():
    """The archive's members without the two zero blocks and the padding at the end."""
    info, data = member("mol-evil/formula.toml", FORMULA)
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


def many_members():
    packer = zlib.compressobj(1, wbits=31)
    out = [packer.compress(tar_without_end())]
    for number in range(120_000):
        info, data = member(f"mol-evil/{number:06d}", b"x")
        out.append(packer.compress(info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(511)))
    return b"".join(out) + packer.compress(bytes(1024)) + packer.flush()


HOSTILE = {
    "traversal": lambda: tar(member("mol-evil/../../escaped", b"x")),
    "traversal at the front": lambda: tar(member("../escaped", b"x")),
    "absolute path": lambda: tar(member("/tmp/escaped-by-mmpm-test", b"x")),
    "symbolic link": lambda: tar(member("mol-evil/link", kind=tarfile.SYMTYPE, link="/etc/passwd")),
    "symbolic link to a sibling": lambda: tar(member("mol-evil/link", kind=tarfile.SYMTYPE, link="formula.toml")),
    "hard link": lambda: tar(member("mol-evil/link", kind=tarfile.LNKTYPE, link="mol-evil/formula.toml")),
    "character device": lambda: tar(member("mol-evil/null", kind=tarfile.CHRTYPE)),
    "block device": lambda: tar(member("mol-evil/disk", kind=tarfile.BLKTYPE)),
    "named pipe": lambda: tar(member("mol-evil/pipe", kind=tarfile.FIFOTYPE)),
    "sparse file": lambda: tar(member("mol-evil/sparse", kind=tarfile.GNUTYPE_SPARSE)),
    "duplicate": lambda: tar(member("mol-evil/a", b"1"), member("mol-evil/a", b"2")),
    "names equal after case folding": lambda: tar(member("mol-evil/a", b"1"), member("mol-evil/A", b"2")),
    "names equal after normalisation": lambda: tar(
        member("mol-evil/e\u0301", b"1"), member("mol-evil/\u00e9", b"2"), form=tarfile.PAX_FORMAT
    ),
    "a file that is also a folder": lambda: tar(member("mol-evil/a", b"1"), member("mol-evil/a/b", b"2")),
    "backslash": lambda: tar(member("mol-evil\\..\\escaped", b"x")),
    "control character": lambda: tar(member("mol-evil/\x1b[31mred", b"x"), form=tarfile.PAX_FORMAT),
    "device name of another system": lambda: tar(member("mol-evil/con.txt", b"x")),
    "truncated": lambda: tar(member("mol-evil/a", b"x" * 5000))[:3000],
    "truncated gzip": lambda: gzip.compress(tar())[:-20],
    "damaged header": lambda: tar().replace(b"ustar", b"ustaR"),
    "trailing data": lambda: tar() + b"more",
    "trailing data after gzip": lambda: gzip.compress(tar()) + b"more",
    "a second gzip member": lambda: gzip.compress(tar()) + gzip.compress(b"more"),
    "bomb": tar_bomb,
    "bomb of zeros after the end": lambda: zeros(2 * 2**30, zstandard.ZstdCompressor(level=1).compressobj()),
    "too many members": many_members,
    "garbage": lambda: b"\x1f\x8b\x08\x00" + os.urandom(1000),
    "empty": lambda: b"",
    "huge number": lambda: tar_without_end() + damaged_size() + bytes(1024),
}


def damaged_size():
    """A header whose size is near 2**63, in the binary notation of GNU tar."""
    header = bytearray(tarfile.TarInfo("mol-evil/huge").tobuf(tarfile.USTAR_FORMAT))
    header[124:136] = b"\x80" + b"\x00" * 3 + b"\x7f" + b"\xff" * 7
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with World(tmp_path_factory.mktemp("hostile")) as world:
        world.registry("acme").release("mol-base")
        world.settle()
        publisher = world.registries["acme"].publisher
        publisher.run("init")
        yield publisher


def stored_names(machine):
    return set(read_tree(machine.store)) if machine.store.exists() else set()


def run_measured(machine, *words):
    """Run a command; give its status, standard error and peak memory in bytes."""
    peak = machine.folder / "peak"
    peak.unlink(missing_ok=True)
    command = machine.command(*words)
    done = subprocess.run(
        [command[0], str(PEAK_MEMORY), str(peak), *command[1:]],
        cwd=machine.project,
        env=machine.environment(),
        capture_output=True,
        check=False,
        timeout=600,
    )
    return done.returncode, done.stderr.decode(), int(peak.read_text())


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_refused_and_leaves_no_trace(machine, tmp_path, kind):
    registry = machine.world.registries["acme"].folder
    path = tmp_path / "mol-evil-1.0.0.bundle.tar.gz"
    path.write_bytes(HOSTILE[kind]())
    before = read_tree(registry)
    stored = stored_names(machine)

    status, err, memory_bytes = run_measured(machine, "publish", str(path), "--to", str(registry), "--yes")

    assert status == 1, err
    errors = [line for line in err.splitlines() if line.startswith("error[")]
    assert len(errors) == 1, err
    assert "Traceback" not in err
    assert "\x1b" not in err
    assert memory_bytes < MEMORY_BYTES, f"{memory_bytes / 2**20:.0f} MiB"
    assert read_tree(registry) == before
    assert stored_names(machine) == stored
    assert not os.path.lexists("/tmp/escaped-by-mmpm-test")
    places = (tmp_path, machine.world.folder)
    assert not [path for place in places for path in (*place.rglob("escaped"), *place.parent.glob("escaped"))]


@pytest.mark.parametrize("kind", HOSTILE)
def test_importing_it_leaves_the_project_as_it_was(machine, tmp_path, kind):
    path = tmp_path / "mol-evil-1.0.0.bundle.tar.gz"
    path.write_bytes(HOSTILE[kind]())
    before = read_tree(machine.project)

    status, err, memory_bytes = run_measured(machine, "import", str(path))

    assert status == 1, err
    assert len([line for line in err.splitlines() if line.startswith("error[")]) == 1, err
    assert memory_bytes < MEMORY_BYTES, f"{memory_bytes / 2**20:.0f} MiB"
    assert read_tree(machine.project) == before


def test_the_same_archive_without_the_trick_is_accepted(machine, tmp_path):
    path = tmp_path / "mol-evil-1.0.0.bundle.tar.gz"
    path.write_bytes(gzip.compress(tar(member("mol-evil/scripts/go.sh", b"#!/bin/sh\n", mode=0o755))))
    registry = machine.world.registries["acme"].folder
    status, err, _memory = run_measured(machine, "publish", str(path), "--to", str(registry), "--yes")
    assert status == 0, err
