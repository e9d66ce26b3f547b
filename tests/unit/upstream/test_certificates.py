"""TLS contexts: shared by those who trust the same, and by nobody else."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from entrepot.upstream.certificates import Certificates


def test_the_same_trust_is_read_once(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(trustme.CA().cert_pem.bytes())
    certificates = Certificates()
    system = certificates.context(None, insecure=False)
    own = certificates.context(ca, insecure=False)
    anybody = certificates.context(None, insecure=True)
    ca.unlink()
    assert certificates.context(None, insecure=False) is system
    assert certificates.context(ca, insecure=False) is own
    assert certificates.context(None, insecure=True) is anybody
    assert len({id(system), id(own), id(anybody)}) == 3
    assert (system.verify_mode, own.verify_mode) == (ssl.CERT_REQUIRED, ssl.CERT_REQUIRED)
    assert system.check_hostname
    assert anybody.verify_mode == ssl.CERT_NONE
    assert not anybody.check_hostname
    assert own.cert_store_stats()["x509_ca"] == system.cert_store_stats()["x509_ca"] + 1


def test_a_file_that_cannot_be_read_is_told_and_tried_again(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    certificates = Certificates()
    with pytest.raises(OSError, match="No such file"):
        certificates.context(ca, insecure=False)
    ca.write_bytes(trustme.CA().cert_pem.bytes())
    assert certificates.context(ca, insecure=False).cert_store_stats()["x509_ca"] >= 1
