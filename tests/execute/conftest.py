from __future__ import annotations

import pytest
from sites import Site


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)
