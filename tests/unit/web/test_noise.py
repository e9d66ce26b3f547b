"""Malformed requests and cut connections leave no traceback; anything else does."""

from __future__ import annotations

import logging

import pytest
from aiohttp.http_exceptions import BadHttpMessage

from entrepot.web.noise import http_log


def failing(error: Exception) -> None:
    try:
        raise error
    except type(error):
        http_log().exception("Error handling request from %s", "127.0.0.1")


def test_a_malformed_request_leaves_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    failing(BadHttpMessage("Invalid header token"))
    assert caplog.records == []


def test_a_cut_connection_leaves_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    failing(ConnectionResetError("the bytes will not come"))
    assert caplog.records == []


def test_an_error_of_ours_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    failing(RuntimeError("a mistake"))
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("entrepot.http", logging.ERROR)


def test_asking_twice_gives_one_filter() -> None:
    assert http_log() is http_log()
    assert len(http_log().filters) == 1
