"""sqlite-utils, by which schemas are made. Imported here and nowhere else, without numpy: it would load it, a quarter of the
worker's start, for types of which nothing here is stored.
"""

from __future__ import annotations

import sys

_loaded = "numpy" in sys.modules
if not _loaded:
    sys.modules["numpy"] = None  # type: ignore[assignment]  # an import of it now fails, which sqlite-utils expects
try:
    import sqlite_utils
    from sqlite_utils.migrations import Migrations
finally:
    if not _loaded:
        del sys.modules["numpy"]

__all__ = ["Migrations", "sqlite_utils"]
