"""The worker process: `python -m intelligence [--drain]`.

Ends with 0 when told to stop (SIGTERM, SIGINT) or, with `--drain`, when the journal is stored; 1 when another worker runs
or the database or configuration cannot be used; 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from functools import partial

from intelligence.config import ConfigError, load_config
from intelligence.detect.lazily import lazy_detector
from intelligence.log import configure_logging
from intelligence.policy.feeds import Feeds, fetched
from intelligence.policy.watch import Watch
from intelligence.store.ids import install_key
from intelligence.store.judging import Judge
from intelligence.store.migrations import SchemaError
from intelligence.store.pricing import Prices
from intelligence.store.status import AlreadyRunning
from intelligence.store.worker import Worker, WorkerError

log = logging.getLogger("intelligence")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m intelligence", description="Store what the proxy recorded."
    )
    parser.add_argument(
        "--drain",
        action="store_true",
        help="store what is in the journal, then exit, instead of waiting for more",
    )
    options = parser.parse_args(arguments)
    try:
        config = load_config()
    except ConfigError as e:
        print(e, file=sys.stderr)
        return 1
    configure_logging(config.log, "worker", config.data_dir)
    stop = threading.Event()
    feeds = Feeds(
        config.data_dir, partial(fetched, proxy=config.proxy.upstream_proxy, ca_file=config.proxy.upstream_ca)
    )
    watch = Watch(config.policy.dir, config.data_dir, lazy_detector, feeds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        watch.look()
        if not options.drain:
            threading.Thread(target=watch.run, args=(stop,), name="policies", daemon=True).start()
            threading.Thread(target=feeds.run, args=(stop,), name="feeds", daemon=True).start()
        Worker(
            config.data_dir,
            stop,
            drain=options.drain,
            store=None if options.drain else config.store,
            prices=Prices(config.prices.models),
            judge=Judge(config.data_dir, install_key(config.data_dir)),
            beside=(feeds.tell,),
        ).run()
    except (WorkerError, AlreadyRunning, SchemaError, OSError) as e:
        log.error("%s", e)
        return 1
    except Exception:
        log.exception("the worker failed; the journal keeps what is not stored")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
