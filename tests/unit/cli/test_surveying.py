"""Settings and pins of commands that ask mirrors."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from entrepot.cli import main
from entrepot.cli.adminclient import Misused
from entrepot.cli.surveying import Surveying, run_survey, surveys, tell_wait
from entrepot.oci.digest import Digest
from entrepot.trust.policy import Policy
from unit.cli.stopped import Stopped
from unit.web.serving import serving

A, B = Digest.of(b"a"), Digest.of(b"b")
seen: list[Surveying] = []


@click.command()
@surveys
def probe(surveying: Surveying) -> None:
    seen.append(surveying)


def pins(path: Path, digest: Digest) -> Path:
    path.write_text(f"schema: 1\npins:\n  registry.k8s.io/pause:3.1: {digest}\n")
    return path


def test_pins_on_the_command_line_win_over_those_of_the_settings(tmp_path: Path) -> None:
    own, lock = pins(tmp_path / "own.yaml", A), pins(tmp_path / "lock.yaml", B)
    file = tmp_path / "entrepot.yaml"
    trust = {"pins": [str(own)], "policies": {"k8s.gcr.io": "pinned"}}
    file.write_text(json.dumps({"trust": trust}))
    runner = CliRunner()
    for words, digest in (([], A), (["--pins", str(lock)], B)):
        result = runner.invoke(probe, ["--config", str(file), *words])
        assert result.exit_code == 0, result.output
        surveying = seen.pop()
        assert surveying.pins.digest("registry.k8s.io", "pause", "3.1") == digest
        assert surveying.policies.policy("registry.k8s.io", "pause") == Policy.parse("pinned")
        surveying.check_online()
    assert runner.invoke(probe, ["--cache", str(tmp_path)]).exit_code == 0
    assert seen.pop().settings.cache.path == tmp_path


def test_offline_settings_ask_nobody(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.yaml"
    file.write_text("offline: true\n")
    assert CliRunner().invoke(probe, ["--config", str(file)]).exit_code == 0
    with pytest.raises(Misused, match="offline"):
        seen.pop().check_online()


@pytest.mark.parametrize(
    "words",
    [["doctor", "docker.io"], ["pins", "lock", "docker.io/library/busybox:1"], ["pins", "check"]],
    ids=["doctor", "lock", "check"],
)
async def test_a_server_that_went_offline_binds_commands_too(
    tmp_path: Path, words: list[str]
) -> None:
    site = Stopped(tmp_path)
    async with serving(tmp_path, "http://127.0.0.1:1") as server:
        registries = {"docker.io": {"mirrors": ["http://127.0.0.1:1"]}}
        site.configure(admin=server.admin, registries=registries)
        assert (await site.run("offline", "on")).exit_code == 0
        result = await site.run(*words)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "the server that runs here is offline" in result.stderr
        assert "entrepot offline off" in result.stderr


async def test_a_server_that_is_online_or_anothers_binds_nobody(tmp_path: Path) -> None:
    site = Stopped(tmp_path)
    async with serving(tmp_path, "http://127.0.0.1:1", offline=True) as server:
        site.configure(admin=server.admin)
        config = site.file.rename(tmp_path / "another.yaml")
        words = ("pins", "check", "--mirrors-only", "--config", str(config))
        run = CliRunner().invoke
        assert (await asyncio.to_thread(run, main, words)).exit_code == 2
        other = (*words, "--cache", str(tmp_path / "elsewhere"))
        assert (await asyncio.to_thread(run, main, other)).exit_code == 0
        site.configure(admin=server.admin)
        assert (await site.run("offline", "off")).exit_code == 0
        assert (await asyncio.to_thread(run, main, words)).exit_code == 0


def test_mistakes_are_status_2(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("nonsense: 1\n")
    for words in (["--config", str(wrong)], ["--pins", str(wrong)]):
        assert CliRunner().invoke(probe, words).exit_code == 2


async def _gone() -> None:
    raise OSError("no such file")


def test_a_file_that_is_gone_is_told() -> None:
    with pytest.raises(click.ClickException, match="no such file"):
        run_survey(_gone())


def test_waits_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    tell_wait("m", 12.3)
    assert capsys.readouterr().err == "m: waiting 12 s, as its limits want it\n"
