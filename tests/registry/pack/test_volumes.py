"""Volumes are exactly as long as was asked; what is killed, stale or changed is never taken for a pack."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.errors import PackRefusedError
from mmpm.registry.pack.volumes import PackSink, PackStream, Volume, VolumeList
from mmpm_store.ids import ObjectId

PACK_ID = str(ObjectId.of(b"pack"))


def write(path: Path, data: bytes, size: int | None, step: int = 7) -> tuple[str, ...]:
    with PackSink(str(path), size) as sink:
        for at in range(0, len(data), step):
            sink.write(data[at : at + step])
        return sink.finish(PACK_ID)


def read(path: Path) -> bytes:
    with PackStream(str(path)) as stream:
        return stream.readall()


@given(data=st.binary(min_size=1, max_size=300), size=st.integers(1, 120), step=st.integers(1, 40))
def test_volumes_together_are_the_pack_and_each_but_the_last_has_the_size(tmp_path_factory, data, size, step):
    path = tmp_path_factory.mktemp("volumes") / "x.pack"
    *names, listing = write(path, data, size, step)
    parts = [Path(name).read_bytes() for name in names]
    assert b"".join(parts) == data
    assert all(len(one) == size for one in parts[:-1])
    assert 0 < len(parts[-1]) <= size
    assert [Path(name).name for name in names] == [f"x.pack.{number:03}" for number in range(1, len(names) + 1)]
    assert VolumeList.parse(Path(listing).read_bytes()).length == len(data)
    assert read(path) == read(Path(names[0])) == read(Path(listing)) == data


def test_a_pack_in_one_file_has_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "x.pack"
    with PackSink(str(path), None) as sink:
        sink.write(b"abc")
        assert not path.exists()
        assert sink.finish(PACK_ID) == (str(path),)
    assert os.listdir(tmp_path) == ["x.pack"]


@pytest.mark.parametrize("size", [None, 2])
def test_a_writer_that_does_not_come_to_its_end_leaves_nothing_and_what_was_there_stays(tmp_path, size):
    path = tmp_path / "x.pack"
    write(path, b"older pack", size)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    with PackSink(str(path), size) as sink:
        sink.write(b"newer")
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


def test_what_a_killed_writer_left_is_written_over(tmp_path):
    (tmp_path / "x.pack.001.partial").write_bytes(b"half of something longer")
    write(tmp_path / "x.pack", b"abcdef", 4)
    assert sorted(os.listdir(tmp_path)) == ["x.pack.001", "x.pack.002", "x.pack.volumes.json"]
    assert read(tmp_path / "x.pack") == b"abcdef"


def test_volumes_of_an_older_pack_of_the_name_go(tmp_path):
    write(tmp_path / "x.pack", b"a" * 50, 10)
    write(tmp_path / "x.pack", b"b" * 15, 10)
    assert sorted(os.listdir(tmp_path)) == ["x.pack.001", "x.pack.002", "x.pack.volumes.json"]


@pytest.mark.parametrize("change", ["flip", "cut", "miss", "unlisted"])
def test_a_volume_that_is_not_the_listed_one_is_refused_by_name(tmp_path, change):
    names = write(tmp_path / "x.pack", b"abcdefghij", 4)
    second = Path(names[1])
    if change == "flip":
        second.write_bytes(b"efgH")
    elif change == "cut":
        second.write_bytes(b"ef")
    elif change == "miss":
        second.unlink()
    else:
        Path(names[-1]).unlink()
    with pytest.raises(PackRefusedError, match="x.pack.002" if change != "unlisted" else r"volumes\.json"):
        read(Path(names[0]))


@pytest.mark.parametrize("name", ["../x.001", "/etc/x.001", "x", ".x.001", "x\n.001"])
def test_a_list_that_leads_elsewhere_is_refused(name):
    listing = VolumeList(PACK_ID, 3, 4, (Volume(name, 3, ObjectId.of(b"abc")),))
    with pytest.raises(ValueError, match="elsewhere"):
        VolumeList.parse(listing.to_bytes())


@pytest.mark.parametrize("lengths", [(), (4, 5), (3, 4), (4, 0)])
def test_a_list_whose_lengths_do_not_fit_is_refused(lengths):
    volumes = tuple(Volume(f"x.{at:03}", length, ObjectId.of(b"")) for at, length in enumerate(lengths, 1))
    with pytest.raises(ValueError, match="do not fit"):
        VolumeList.parse(VolumeList(PACK_ID, sum(lengths), 4, volumes).to_bytes())
