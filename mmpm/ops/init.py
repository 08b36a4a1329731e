"""`init`: a manifest where there is none."""

from __future__ import annotations

import os

from mmpm.plan import Plan, WriteFiles
from mmpm.project.manifest import EMPTY


def plan_init(folder: str) -> Plan:
    """Plan an empty manifest in `folder` (absolute); the plan is empty where one is there already."""
    path = os.path.join(folder, "mmpm.toml")
    if os.path.lexists(path):
        return Plan()
    return Plan((WriteFiles(((path, EMPTY.encode(), 0o644),)),))
