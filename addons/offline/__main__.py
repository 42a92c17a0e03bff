"""`python -m addons.offline`: the offline provider in the foreground, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal

from .server import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m addons.offline", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port of the TLS listener; 0 takes a free one")
    parser.add_argument("--http-port", type=int, default=0, help="port of the plain HTTP listener")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    try:
        asyncio.run(_serve(arguments.host, arguments.port, arguments.http_port))
    except OSError as error:
        parser.exit(1, f"The offline provider cannot start: {error.strerror or error}\n")


async def _serve(host: str, port: int, http_port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stop.set)
    async with serve(host=host, port=port, http_port=http_port) as provider:
        print(
            f"https  {provider.url}",
            f"http   {provider.http_url}",
            f"CA     {provider.ca_file}",
            sep="\n",
            flush=True,
        )
        await stop.wait()


if __name__ == "__main__":
    main()
