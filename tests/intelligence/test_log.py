import json
import logging
import os

import pytest

from intelligence import log as log_module
from intelligence.config import Log
from intelligence.log import configure_logging


@pytest.fixture(autouse=True)
def root_logger():
    root = logging.getLogger()
    before, level, loud = root.handlers[:], root.level, logging.raiseExceptions
    yield root
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        if handler not in before:
            handler.close()
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)
    logging.raiseExceptions = loud


def test_json_is_one_object_a_line_on_stderr_and_in_the_file(tmp_path, capsys):
    configure_logging(Log(format="json"), "worker", tmp_path)
    logger = logging.getLogger("intelligence.x")
    logger.info("stored %d\ncalls", 3)
    logger.debug("not this")
    try:
        raise ValueError("bad")
    except ValueError:
        logger.exception("failed")
    lines = capsys.readouterr().err.splitlines()
    assert (tmp_path / "logs" / "worker.log").read_text().splitlines() == lines
    first, second = map(json.loads, lines)
    assert first["time"].endswith("Z")
    assert (first["level"], first["process"], first["logger"], first["message"]) == (
        "info",
        "worker",
        "intelligence.x",
        "stored 3\ncalls",
    )
    assert "ValueError: bad" in second["error"]


def test_text_is_for_people(capsys):
    configure_logging(Log(level="warning"), "proxy")
    logging.getLogger("x").info("quiet")
    logging.getLogger("x").warning("look out")
    (line,) = capsys.readouterr().err.splitlines()
    assert "proxy" in line
    assert line.endswith("WARNING look out")


def test_the_file_is_private_and_rotated(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(log_module, "FILE_BYTES", 500)
    old_umask = os.umask(0)
    try:
        configure_logging(Log(), "worker", tmp_path)
        for _ in range(100):
            logging.getLogger("x").info("y" * 50)
    finally:
        os.umask(old_umask)
    files = list((tmp_path / "logs").iterdir())
    assert len(files) == log_module.FILES_KEPT + 1
    assert {f.stat().st_mode & 0o777 for f in files} == {0o600}
    assert all(f.stat().st_size <= 600 for f in files)


def test_no_log_file_is_no_reason_to_stop(tmp_path, capsys):
    (tmp_path / "logs").write_text("in the way")
    configure_logging(Log(), "worker", tmp_path)
    logging.getLogger("x").info("on we go")
    said = capsys.readouterr().err
    assert "no log file" in said
    assert "on we go" in said


def test_configured_twice_it_says_things_once(tmp_path, capsys):
    for _ in range(2):
        configure_logging(Log(), "worker", tmp_path)
    logging.getLogger("x").info("once")
    assert capsys.readouterr().err.count("once") == 1
