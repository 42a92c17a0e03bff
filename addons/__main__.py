"""The proxy process. `--private`: a proxy of its own for one command, beside a running suite, on free ports."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback

from addons import proxy
from certs.ca import CertsError
from intelligence.config import Config, ConfigError, load_config
from intelligence.log import configure_logging
from intelligence.store.status import AlreadyRunning


def main() -> int:
    private = "--private" in sys.argv[1:]
    try:
        config = load_config()
        if private:
            config = as_private(config)
        configure_logging(config.log, "proxy", config.data_dir)
        for handler in logging.getLogger().handlers:
            handler.addFilter(discreet)
        logging.getLogger("mitmproxy").setLevel(
            logging.DEBUG if config.log.level == "debug" else logging.WARNING
        )
        asyncio.run(proxy.run(config, private=private))
    except (ConfigError, CertsError, AlreadyRunning, proxy.ListenError, OSError) as e:
        print(f"llmitm proxy: {e}", file=sys.stderr)
        return 1
    return 0


def discreet(record: logging.LogRecord) -> bool:
    """mitmproxy's own tracebacks end with the event it failed on, bytes and all: only its type goes into the log."""
    if record.exc_info and record.exc_info[1] and record.name.startswith("mitmproxy"):
        trace = record.exc_info[2]
        where = traceback.extract_tb(trace)[-1] if trace else None
        at = f" at {where.filename}:{where.lineno}" if where else ""
        record.msg, record.args = (
            f"{record.getMessage().splitlines()[0]} ({record.exc_info[0].__name__}{at})",
            (),
        )
        record.exc_info = record.exc_text = None
    return True


def as_private(config: Config) -> Config:
    """The same configuration on free ports, without mitmweb."""
    return config.model_copy(
        update={
            "proxy": config.proxy.model_copy(update={"listen_port": 0, "web": False, "modes": ["regular"]})
        }
    )


if __name__ == "__main__":
    sys.exit(main())
