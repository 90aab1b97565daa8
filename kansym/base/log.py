"""What a waiting person may follow: one logger, heard on stderr where somebody asks for it.

Nothing outside `cli` prints; long work reports here, and whoever embeds kansym may attach a handler.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LOGGER = logging.getLogger("kansym")


@contextmanager
def heard(asked: bool = True) -> Iterator[None]:
    """Show reports inside the block, if `asked`: on stderr, or where the logger's own handlers send them.

    >>> with heard(False):
    ...     LOGGER.info("unheard")
    """
    if not asked:
        yield
        return
    level, handler = LOGGER.level, None
    if not LOGGER.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("kansym %(message)s"))
        LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.setLevel(level)
        if handler is not None:
            LOGGER.removeHandler(handler)
