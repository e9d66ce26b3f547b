"""`entrepot check-config`, as a person types it."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from entrepot.cli import main
from entrepot.cli.check_config import summarize
from entrepot.config.settings import Settings

SIX_MISTAKES = """\
lisen: 0.0.0.0:5000
timeouts: {stall: ten}
hosts: {k8s.lan: k8s.gcr.oi}
log: {format: xml}
registries:
  docker.io: {mirrors: [registry-1.docker.io]}
  quay.io: {mirrors: [{url: "https://quay.io", repository: "{nam}"}]}
"""

SPLIT = """\
registry.k8s.io: {aliases: [k8s.lan], mirrors: [https://m]}
  k8s.gcr.io: {mirrors: [https://m]}
"""


def test_six_mistakes_are_six_lines_and_status_2(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.yaml"
    file.write_text(SIX_MISTAKES)
    result = CliRunner().invoke(main, ["check-config", str(file)])
    lines = result.stderr.splitlines()
    assert result.exit_code == 2
    assert result.stdout == ""
    assert [line.removeprefix(f"{file}:").partition(":")[0] for line in lines] == list("123467")
    assert lines[0] == f"{file}:1: lisen: unknown key (did you mean listen?)"


def test_good_file_is_summarized(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.yaml"
    file.write_text(
        "listen:\n  - 127.0.0.1:5000\n  - {address: 127.0.0.1:5002, registry: k8s.gcr.io}\n"
        "hosts: {k8s.lan: k8s.gcr.io}\n"
        "admin: none\n"
        "cache: {path: /srv/cache, max_size: 1.5GiB, min_free: none,\n"
        "        keep: ['k8s.gcr.io/pause:*', {kubernetes: v1.30.5}]}\n"
        "registries:\n"
        "  registry.k8s.io:\n"
        "    aliases: [k8s.gcr.io]\n"
        "    mirrors:\n"
        "      - {url: 'https://registry.k8s.io', authority: true}\n"
        "      - {url: 'https://m.example/sub', repository: 'google_containers/{name}',\n"
        "         tags: [{match: '3[.]1', replace: '3.1-old'}], name: flat,\n"
        "         credentials: {username: somebody, password: hunter2}}\n"
        "      - {url: 'https://t.example', table: {etcd: x/etcd}}\n"
        "  docker.io: null\n  quay.io: null\n  ghcr.io: null\n  gcr.io: null\n"
        "  mcr.microsoft.com: {mirrors: [https://mcr.microsoft.com]}\n"
    )
    result = CliRunner().invoke(main, ["check-config", str(file)])
    assert (result.exit_code, result.stderr) == (0, "")
    *told, pins = result.stdout.splitlines()
    assert pins.startswith("pins      ")
    assert told == [
        "listen    127.0.0.1:5000",
        "listen    127.0.0.1:5002, k8s.gcr.io where none is named",
        "host      k8s.lan means k8s.gcr.io",
        "admin     off",
        "cache     /srv/cache",
        "limits    at most 1.5GiB, 0B of the disk left free",
        "keep      k8s.gcr.io/pause:*",
        "keep      kubernetes v1.30.5",
        "registry  registry.k8s.io, also k8s.gcr.io",
        "  1. registry.k8s.io (authority): k8s.gcr.io/pause:3.1 is registry.k8s.io/pause:3.1",
        "  2. flat: k8s.gcr.io/pause:3.1 is m.example/sub/google_containers/pause:3.1-old",
        "  3. t.example: does not carry k8s.gcr.io/pause:3.1",
        "registry  mcr.microsoft.com",
        "  1. mcr.microsoft.com",
        "trust     pinned, authority, first warn",
        (
            "warning   registry.k8s.io is fetched with credentials (flat) and served to everybody;"
            " with `private: true` clients are asked for a password"
        ),
    ]


@pytest.mark.parametrize(
    ("registries", "lost"),
    [
        ("registry.k8s.io: {aliases: [k8s.lan], mirrors: [https://m]}", True),
        ("registry.k8s.io: {mirrors: [https://m]}", False),
        ("registry.k8s.io: {aliases: [], mirrors: [https://m]}", False),
        ("registry.k8s.io: {aliases: [k8s.lan, k8s.gcr.io], mirrors: [https://m]}", False),
        (SPLIT, False),
        ("registry.k8s.io: null", False),
    ],
)
@pytest.mark.parametrize("preset", [(), ("--preset", "china")], ids=["plain", "china"])
def test_another_name_that_goes_missing_is_told(
    tmp_path: Path, registries: str, lost: bool, preset: tuple[str, ...]
) -> None:
    file = tmp_path / "entrepot.yaml"
    file.write_text(f"registries:\n  {registries}\n")
    result = CliRunner().invoke(main, ["check-config", str(file), *preset])
    assert (result.exit_code, result.stderr) == (0, "")
    told = "warning   registry.k8s.io was also k8s.gcr.io, and its `aliases` leave that out"
    assert (told in result.stdout) is lost


def test_it_takes_the_options_of_the_others(tmp_path: Path) -> None:
    """The line of options of `serve` is checked as it is."""
    file = tmp_path / "entrepot.yaml"
    file.write_text("cache: {path: /srv/other}\n")
    words = ["check-config", "--config", str(file), "--preset", "china"]
    assert "cache     /srv/other" in CliRunner().invoke(main, words).stdout
    result = CliRunner().invoke(main, [*words, "--cache", "/srv/own"])
    assert (result.exit_code, "cache     /srv/own" in result.stdout) == (0, True)
    assert CliRunner().invoke(main, [*words, str(file)]).exit_code == 2


def test_preset_is_checked_by_name() -> None:
    result = CliRunner().invoke(main, ["check-config", "--preset", "china"])
    assert result.exit_code == 0
    assert "registry.aliyuncs.com/google_containers/pause:3.1" in result.stdout
    result = CliRunner().invoke(main, ["check-config", "--preset", "chian"])
    assert result.exit_code == 2
    assert "did you mean china?" in result.stderr


def test_pins_are_counted_and_their_mistakes_told(tmp_path: Path) -> None:
    pins, config = tmp_path / "pins.yaml", tmp_path / "entrepot.yaml"
    config.write_text(
        "trust: {pins: [pins.yaml], built_in_pins: false, policies: {quay.io: agree 2}}"
    )
    pins.write_text(f"schema: 1\npins:\n  quay.io/a/b:1.0: sha256:{'0' * 64}\n")
    result = CliRunner().invoke(main, ["check-config", str(config)])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "pins      1 tags")
    assert "trust     quay.io: agree 2" in result.stdout
    pins.write_text("schema: 1\npins:\n  quay.io/a/b:1.0: md5:0\n")
    result = CliRunner().invoke(main, ["check-config", str(config)])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{pins}:3: not a pin")


def test_file_that_is_not_there_is_status_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["check-config", str(tmp_path / "gone.yaml")])
    assert result.exit_code == 2
    assert result.stderr == f"{tmp_path}/gone.yaml: cannot be read: No such file or directory\n"


def test_summary_of_nothing_names_the_listeners() -> None:
    assert list(summarize(Settings())) == [
        "listen    0.0.0.0:5000",
        "admin     127.0.0.1:5001",
        "cache     /var/lib/entrepot",
        "limits    no limit, 2GiB of the disk left free",
        "trust     pinned, authority, first warn",
    ]


@pytest.mark.parametrize("unwanted", ["aiohttp", "aiosqlite"])
def test_checking_loads_no_server(unwanted: str) -> None:
    """The command starts quickly, and works where only the settings are at hand."""
    program = f"import sys; import entrepot.cli.check_config;sys.exit({unwanted!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == 0


def test_offline_is_shown() -> None:
    def told(**settings: object) -> list[str]:
        lines = summarize(Settings.model_validate(settings))
        return [line for line in lines if line.startswith("offline")]

    assert told() == []
    assert told(offline=True) == ["offline   nothing goes out"]
    assert told(offline=True, offline_serves_incomplete=True) == [
        "offline   nothing goes out, incomplete images are served"
    ]
