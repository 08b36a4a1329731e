"""Operands of the command line as values; what cannot be one is wrong usage."""

from mmpm.errors import UsageError
from mmpm.model.references import Reference


def parse_reference(text: str) -> Reference:
    """Read `NAME`, `NAME@RANGE` or `hop://..`.

    Raises:
        UsageError: it is none of these.
    """
    try:
        return Reference.parse(text)
    except ValueError as error:
        raise UsageError(str(error), "write NAME, NAME@4, NAME@^4.1 or hop://HOST/formulas/NAME@VERSION") from error
