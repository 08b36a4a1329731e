"""A JSON object from outside, read field by field: `mmpm.model.fields`, under the name by which this room knows it."""

from __future__ import annotations

from mmpm.model.fields import MAX_TEXT, Fields

__all__ = ["MAX_TEXT", "Fields"]
