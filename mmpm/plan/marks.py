"""Actions on publishers and marks of a registry of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmpm.trust.edits import TrustEdit


@dataclass(frozen=True, slots=True)
class ChangeTrust:
    """Change what the role trust says: published at once where its keys are here, else carried to them.

    Attributes:
        edit: what changes.
        output: the file of the signing request; None publishes at once where enough keys are here.
        fallback: where the request goes if they are not.
    """

    folder: str
    registry: str
    key_folder: str
    passphrase_file: str | None
    edit: TrustEdit
    output: str | None = None
    fallback: str = ""

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        end = f"; write a signing request to {self.output}" if self.output else f" in {self.folder}"
        return self.edit.words + end


MarkAction = ChangeTrust
"""The effects of `registry publisher`, `registry mark` and `registry unmark`."""
