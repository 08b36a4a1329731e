"""Releases of one formula, as hypothesis makes them up."""

from __future__ import annotations

from hypothesis import strategies as st

from mmpm.model.checksums import Checksum
from mmpm.model.names import FormulaName
from mmpm.model.references import Requirement
from mmpm.model.release import Release
from mmpm.model.versions import Version
from mmpm_store.ids import ObjectId

NAME = FormulaName.parse("mol-a")
RELEASES = st.builds(
    Release,
    name=st.just(NAME),
    version=st.sampled_from(["1.0.0", "2.0.0-rc.1", "3.0.0+b.1"]).map(Version.parse),
    kind=st.sampled_from(["formula", "bundle", "molecules"]),
    requires=st.sampled_from(
        [(), (Requirement.parse("mol-x"),), tuple(map(Requirement.parse, ("mol-x@^1", "mol-y@2")))]
    ),
    soft=st.sampled_from([(), (NAME,)]),
    checksum=st.binary(max_size=4).map(Checksum.of),
    tree=st.binary(max_size=4).map(ObjectId.of),
    size=st.integers(0, 1 << 40),
    published_at=st.just("2026-01-01T00:00:00Z"),
    serial=st.integers(1, 1 << 40),
    document=st.binary(max_size=4).map(ObjectId.of),
    signatures=st.sampled_from([(), (("ab" * 32, "cd" * 32),), (("12" * 20, "34" * 32), ("ab" * 32, "cd" * 32))]),
    signed_later=st.sampled_from([(), (("ab" * 32, 7),)]),
    yanked=st.none() | st.text(min_size=1, max_size=20),
    tombstone=st.booleans(),
)
