"""A chart as a picture: mermaid, dot or SVG text. Nothing is needed to make one, and equal charts give equal bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from mmpm.molecule.picture.dot import dot_text
from mmpm.molecule.picture.mermaid import mermaid_text
from mmpm.molecule.picture.scene import scene_of
from mmpm.molecule.picture.svg import svg_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmpm.molecule.picture.chart import Chart
    from mmpm.molecule.picture.scene import Scene

PictureFormat: TypeAlias = Literal["svg", "mermaid", "dot"]
FORMATS: Final = get_args(PictureFormat)
_WRITERS: Final[Mapping[str, Callable[[Scene], str]]] = {"svg": svg_text, "mermaid": mermaid_text, "dot": dot_text}


def picture(chart: Chart, form: PictureFormat) -> bytes:
    """Give the text of a picture, UTF-8, with a line feed at its end.

    Raises:
        TooManyToDrawError: nobody could look at so many steps or lines.
    """
    return _WRITERS[form](scene_of(chart)).encode()
