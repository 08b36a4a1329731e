"""What can be wrong with molecules: catalogues, protos, and what is bonded from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors.base import MmpmError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable


class MoleculeNotFoundError(MmpmError):
    """No layer of the catalogue has the record that a command is about."""

    code = "molecule-not-found"

    def __init__(self, record_id: str, near: Iterable[str]) -> None:
        meant = list(near)
        also = f"; did you mean {' or '.join(printable(one, 80) for one in meant)}?" if meant else ""
        super().__init__(
            f"there is no molecule {printable(record_id, 80)} in any catalogue here{also}",
            "`mmpm mol list` shows what there is",
            {"id": record_id, "near": meant},
        )
