"""`python -m datasette_plugins`: the dashboard process."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import sys

from datasette_plugins.server import PortTaken, exit_on_signals, listen, serve, server_address
from intelligence.config import ConfigError, load_config
from intelligence.log import configure_logging
from intelligence.store.control import NAME, ControlError
from intelligence.store.status import AlreadyRunning

log = logging.getLogger("datasette_plugins")


def main() -> int:
    """0 after SIGINT or SIGTERM, 1 if it could not start."""
    exit_on_signals()
    try:
        config = load_config()
        configure_logging(config.log, "dashboard", config.data_dir)
        listener = listen(config.dashboard.host, config.dashboard.port)
        log.info("listening on %s", server_address(listener))
        asyncio.run(serve(config, listener))
    except (ConfigError, PortTaken, AlreadyRunning, ControlError) as e:
        print(f"llmitm dashboard: {e}", file=sys.stderr)
        return 1
    except sqlite3.Error as e:
        print(f"llmitm dashboard: {NAME} cannot be used: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
