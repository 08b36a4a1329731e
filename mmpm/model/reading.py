"""Reading a parsed document by key path, collecting what is wrong with it instead of stopping at the first."""

from __future__ import annotations

from typing import Any

from mmpm.errors import quoted
from mmpm.model.findings import Finding
from mmpm.model.names import FormulaName

MAX_FINDINGS = 200
MAX_TEXTS = 10_000


class Reading:
    """What was noticed while one document was read.

    Attributes:
        problems: (key path, sentence), in the order of reading, at most `MAX_FINDINGS`.
        warnings: likewise.
    """

    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []
        self.warnings: list[Finding] = []

    def problem(self, key: str, sentence: str) -> None:
        """Note an error: the document will be refused."""
        if len(self.problems) < MAX_FINDINGS:
            self.problems.append((key, sentence))

    def warn(self, code: str, key: str, sentence: str) -> None:
        """Note a warning."""
        if len(self.warnings) < MAX_FINDINGS:
            self.warnings.append(Finding(code, key, sentence))

    def table(self, holder: dict[str, Any], key: str, path: str) -> dict[str, Any]:
        """Give a table of `holder`; empty if it is absent or not a table, which is a problem."""
        value = holder.get(key)
        if isinstance(value, dict):
            return value
        if value is not None:
            self.problem(path, "this is not a table")
        return {}

    def tables(self, holder: dict[str, Any], key: str, path: str) -> list[tuple[str, dict[str, Any]]]:
        """Give an array of tables, each with its key path such as ``steps[3]``; absent gives none."""
        value = holder.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.problem(path, "this is not an array of tables")
            return []
        found = []
        for index, item in enumerate(value):
            if isinstance(item, dict):
                found.append((f"{path}[{index}]", item))
            else:
                self.problem(f"{path}[{index}]", "this is not a table")
        return found

    def texts(self, holder: dict[str, Any], key: str, path: str) -> list[tuple[str, str]]:
        """Give a list of texts, each with its key path; absent gives none."""
        value = holder.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.problem(path, "this is not a list of texts")
            return []
        if len(value) > MAX_TEXTS:
            self.problem(path, f"the list has more than {MAX_TEXTS} texts")
            return []
        found = []
        for index, item in enumerate(value):
            if isinstance(item, str):
                found.append((f"{path}[{index}]", item))
            else:
                self.problem(f"{path}[{index}]", "this is not a text")
        return found

    def text(self, holder: dict[str, Any], key: str, prefix: str) -> str:
        """Give a text of `holder`; empty if it is absent or not a text, which is a problem."""
        value = holder.get(key)
        if isinstance(value, str):
            return value
        if value is not None:
            self.problem(prefix + key, "this is not a text")
        return ""

    def name(self, key: str, value: object) -> FormulaName | None:
        """Read a formula's name; None if it is not one, which is a problem."""
        if not isinstance(value, str):
            self.problem(key, f"a name is a text, not {quoted(str(value))}")
            return None
        try:
            return FormulaName.parse(value)
        except ValueError as error:
            self.problem(key, str(error))
            return None
