"""Error bodies are what every client parses."""

import json

import pytest

from entrepot.oci.errorcode import ErrorCode, error_body


@pytest.mark.rule("N-4")
def test_every_code_of_the_contract_is_there() -> None:
    wanted = (
        "BLOB_UNKNOWN MANIFEST_UNKNOWN NAME_UNKNOWN NAME_INVALID DIGEST_INVALID TAG_INVALID"
        " UNAUTHORIZED DENIED UNSUPPORTED TOOMANYREQUESTS"
    )
    assert set(wanted.split()) <= {code.value for code in ErrorCode}


@pytest.mark.rule("E-4")
def test_the_body_has_code_message_and_detail() -> None:
    body = error_body(ErrorCode.NAME_UNKNOWN, 'no "x"', {"tried": ["é"]})
    assert json.loads(body) == {
        "errors": [{"code": "NAME_UNKNOWN", "message": 'no "x"', "detail": {"tried": ["é"]}}]
    }


@pytest.mark.rule("E-4")
def test_no_detail_is_left_out() -> None:
    assert error_body(ErrorCode.DENIED, "no") == b'{"errors":[{"code":"DENIED","message":"no"}]}'
