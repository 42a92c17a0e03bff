import logging
import sys

from addons.__main__ import as_private, discreet
from intelligence.config import Config


def logged(name: str) -> logging.LogRecord:
    try:
        raise AssertionError("Unexpected event: DataReceived(b'the prompt')")
    except AssertionError:
        return logging.LogRecord(
            name, logging.ERROR, "f", 1, "%s has crashed!\nmore", ("mitmproxy",), sys.exc_info()
        )


def test_a_traceback_of_mitmproxy_says_where_and_no_bytes() -> None:
    record = logged("mitmproxy.proxy.server")
    assert discreet(record)
    text = logging.Formatter().format(record)
    assert "mitmproxy has crashed! (AssertionError at " in text and "test_main.py:" in text
    assert "the prompt" not in text


def test_our_own_tracebacks_stay() -> None:
    record = logged("llmitm.proxy")
    assert discreet(record) and record.exc_info


def test_a_private_proxy_takes_a_free_port_and_no_mitmweb() -> None:
    config = as_private(Config())
    assert (config.proxy.listen_port, config.proxy.web, config.proxy.modes) == (0, False, ["regular"])
