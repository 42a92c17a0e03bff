"""The worker process: `python -m intelligence [--drain]`.

Ends with 0 when told to stop (SIGTERM, SIGINT) or, with `--drain`, when the journal is stored; 1 when another worker runs
or the database or configuration cannot be used; 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from functools import partial

from intelligence.config import Config, ConfigError, load_config
from intelligence.detect.lazily import lazy_detector
from intelligence.learn.claude import Claude
from intelligence.learn.second_opinion import SecondOpinion
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
    second = _second_opinion(config)
    watch = Watch(config.policy.dir, config.data_dir, lazy_detector, feeds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        watch.look()
        if not options.drain:
            threading.Thread(target=watch.run, args=(stop,), name="policies", daemon=True).start()
            threading.Thread(target=feeds.run, args=(stop,), name="feeds", daemon=True).start()
            if second:
                threading.Thread(target=second.run, args=(stop,), name="opinions", daemon=True).start()
        Worker(
            config.data_dir,
            stop,
            drain=options.drain,
            store=None if options.drain else config.store,
            prices=Prices(config.prices.models),
            judge=Judge(config.data_dir, install_key(config.data_dir)),
            beside=(feeds.tell, second.write) if second else (feeds.tell,),
        ).run()
    except (WorkerError, AlreadyRunning, SchemaError, OSError) as e:
        log.error("%s", e)
        return 1
    except Exception:
        log.exception("the worker failed; the journal keeps what is not stored")
        return 1
    return 0


def _second_opinion(config: Config) -> SecondOpinion | None:
    """Where it is switched on, and there is a key."""
    settings = config.second_opinion
    if not settings.enabled:
        return None
    if not (api_key := os.environ.get(settings.key_env)):
        log.warning("there is no second opinion: %s is not set", settings.key_env)
        return None
    proxy = config.proxy
    claude = Claude(settings.base_url, api_key, settings.model, proxy.upstream_proxy, proxy.upstream_ca)
    return SecondOpinion(
        settings, config.data_dir, install_key(config.data_dir), claude, Prices(config.prices.models)
    )


if __name__ == "__main__":
    sys.exit(main())
