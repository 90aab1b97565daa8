"""What griffe does for the site: docstrings as this project writes them become Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)
ROLE = re.compile(r":(?:class|func|meth|mod):(?=`)")


class Docstrings(griffe.Extension):
    """Fence doctests, and write names with roles, :class:`Run` say, as plain code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object that was read."""
        if obj.docstring is not None:
            text = EXAMPLE.sub(lambda found: f"\n```pycon\n{found[0]}\n```\n", obj.docstring.value)
            obj.docstring.value = ROLE.sub("", text)
