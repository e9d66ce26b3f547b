"""One event, one line, in either form."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from entrepot.log import configure_log


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = structlog.get_config()
    handlers = list(logging.getLogger().handlers)
    yield
    structlog.configure(**before)
    for added in set(logging.getLogger().handlers) - set(handlers):
        logging.getLogger().removeHandler(added)


def written(form: str, level: str = "info", **fields: object) -> str:
    stream = io.StringIO()
    assert form in {"text", "json"}
    configure_log("json" if form == "json" else "text", level, stream)
    structlog.get_logger().info("blob.served", **fields)
    return stream.getvalue()


def test_text_is_time_level_event_and_pairs() -> None:
    line = written("text", digest="sha256:ab", bytes=10)
    when, level, event, *pairs = line.rstrip("\n").split(" ")
    assert when.endswith("Z")
    assert (level, event, pairs) == ("info", "blob.served", ["digest=sha256:ab", "bytes=10"])
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("two words", '"two words"'),
        ("", '""'),
        ('a"b', '"a\\"b"'),
        ("a=b", '"a=b"'),
        ("line\nbreak", '"line\\nbreak"'),
        ("\x1b[31mred", '"\\u001b[31mred"'),
        ("entrepôt", '"entrep\\u00f4t"'),
        ("~/!#", "~/!#"),
    ],
)
def test_text_quotes_what_would_run_together(value: str, expected: str) -> None:
    assert written("text", value=value).rstrip("\n").endswith(f" value={expected}")


def test_json_is_one_object_a_line() -> None:
    line = written("json", digest="sha256:ab", bytes=10, note="two\nlines")
    told = json.loads(line)
    assert line.count("\n") == 1
    assert (told["event"], told["level"], told["bytes"]) == ("blob.served", "info", 10)
    assert told["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_is_told_with_its_traceback(form: str) -> None:
    stream = io.StringIO()
    configure_log("json" if form == "json" else "text", "info", stream)
    try:
        int("a mistake")
    except ValueError:
        structlog.get_logger().exception("died")
    text = stream.getvalue()
    if form == "json":
        assert "ValueError: invalid literal" in json.loads(text)["exception"]
    else:
        assert text.splitlines()[0].endswith(" error died")
        assert text.splitlines()[-1].startswith("ValueError: invalid literal")


@pytest.mark.parametrize(("level", "expected"), [("debug", 2), ("INFO", 1), ("warning", 0)])
def test_the_level_is_kept_to(level: str, expected: int) -> None:
    stream = io.StringIO()
    configure_log("text", level, stream)
    log = structlog.get_logger()
    log.debug("one")
    log.info("two")
    assert len(stream.getvalue().splitlines()) == expected


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_libraries_say_is_an_event_too(form: str) -> None:
    """A line of another shape would break whoever reads the log by machine."""
    stream = io.StringIO()
    for _ in range(2):
        configure_log("json" if form == "json" else "text", "info", stream)
    try:
        int("a mistake")
    except ValueError:
        logging.getLogger("asyncio").exception("Task %s was never retrieved", "fill")
    logging.getLogger("asyncio").info("Using selector")
    text = stream.getvalue()
    assert text.count("library.said") == 1
    if form == "json":
        told = json.loads(text)
        assert (told["logger"], told["level"]) == ("asyncio", "error")
        assert told["message"] == "Task fill was never retrieved"
        assert "ValueError: invalid literal" in told["exception"]
    else:
        assert 'logger=asyncio message="Task fill was never retrieved"' in text.splitlines()[0]


def test_without_an_exception_there_is_no_traceback() -> None:
    stream = io.StringIO()
    configure_log("json", "info", stream)
    logging.getLogger("aiohttp").warning("odd")
    assert "exception" not in json.loads(stream.getvalue())


def test_a_traceback_shows_neither_logins_nor_queries() -> None:
    stream = io.StringIO()
    configure_log("text", "info", stream)
    error = ValueError("no answer from https://user:hunter2@m.example/x?sig=hunter2&a=b, sorry")
    structlog.get_logger().error("died", exc_info=error)
    logging.getLogger("aiohttp").error("unclosed http://u:hunter2@p:1 and 'http://m/?t=hunter2'")
    told = stream.getvalue()
    assert "hunter2" not in told
    assert "https://***@m.example/x?*** sorry" in told
    assert "'http://m/?***'" in told
