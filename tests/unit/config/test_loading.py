"""From files to settings, or to everything that is wrong with them."""

from pathlib import Path

import pytest

from entrepot.config.loading import (
    default_path,
    load_settings,
    load_whereabouts,
    preset_path,
    written_registry,
)
from entrepot.config.problems import ConfigError, Problem

SIX_MISTAKES = """\
listen: 0.0.0.0
timeouts:
  overtak: 2s
  stall: ten seconds
registries:
  docker.io:
    mirrors:
      - urll: https://registry-1.docker.io
      - url: https://u:hunter2@m.daocloud.io
        repository: "{registry}/{repo}"
        credentials: {username: u, password_env: HUB_TOKEN, pasword: hunter3}
"""


def problems(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    """Load a file that is wrong; give each problem without the path of the file."""
    path = tmp_path / "entrepot.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(path, environment=environment or {})
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


@pytest.mark.parametrize("text", ["", "# nothing\n", "log:\n", "log: {level: debug}\n"])
def test_short_file_is_a_valid_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "entrepot.yaml"
    path.write_text(text)
    settings = load_settings(path)
    assert settings.registries == load_settings(default_path()).registries
    assert settings.log.level == ("debug" if "debug" in text else "info")


def test_file_of_three_lines_adds_a_registry(tmp_path: Path) -> None:
    path = tmp_path / "entrepot.yaml"
    path.write_text("registries:\n  nvcr.io:\n    mirrors: [https://nvcr.io]\n")
    settings = load_settings(path)
    assert settings.registries["nvcr.io"].mirrors[0].url == "https://nvcr.io"
    assert "docker.io" in settings.registries


def test_all_mistakes_are_told_at_once_with_line_value_and_nearest_key(tmp_path: Path) -> None:
    assert problems(tmp_path, SIX_MISTAKES) == [
        (
            "1: listen: not an address: write host:port, as 0.0.0.0:5000 or [::]:5000"
            ' (value "0.0.0.0")'
        ),
        "3: timeouts.overtak: unknown key (did you mean overtake?)",
        (
            "4: timeouts.stall: not a duration: write it as 250ms, 30s, 10m, 1h30m"
            ' or a number of seconds (value "ten seconds")'
        ),
        '8: registries["docker.io"].mirrors[0].urll: unknown key (did you mean url?)',
        (
            '9: registries["docker.io"].mirrors[1].url: write the name and password under'
            ' credentials, not into the url (value "https://***@m.daocloud.io")'
        ),
        (
            '10: registries["docker.io"].mirrors[1].repository: unknown placeholder {repo}: there'
            " are {registry}, {repository}, {repository:-}, {name} and, beside a pattern, {rest}"
            ' (value "{registry}/{repo}")'
        ),
        (
            '11: registries["docker.io"].mirrors[1].credentials.password_env:'
            " this environment variable is not set"
        ),
        (
            '11: registries["docker.io"].mirrors[1].credentials.pasword:'
            " unknown key (did you mean password?)"
        ),
    ]


def test_no_secret_is_told(tmp_path: Path) -> None:
    assert "hunter" not in "\n".join(problems(tmp_path, SIX_MISTAKES))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lisen: x\n", "1: lisen: unknown key (did you mean listen?)"),
        ("zzz: x\n", "1: zzz: unknown key"),
        ("log: loud\n", '1: log: should be a mapping, lines of `key: value` (value "loud")'),
        ("log: {level: inf}\n", None),
        (
            "compatibility: {not_found_instead_of_5xx: maybe}\n",
            '1: compatibility.not_found_instead_of_5xx: should be true or false (value "maybe")',
        ),
        ("registries: [docker.io]\n", "1: registries: should be a mapping, lines of `key: value`"),
        (
            "registries:\n  q.io: {mirrors: https://q}\n",
            (
                '2: registries["q.io"].mirrors: should be a list, lines of `- item`'
                ' (value "https://q")'
            ),
        ),
        (
            "registries:\n  q.io: {mirrors: []}\n",
            '2: registries["q.io"].mirrors: must not be empty',
        ),
        ("registries:\n  q.io: {}\n", '2: registries["q.io"].mirrors: is missing'),
        (
            "registries:\n  q.io: {mirror: [https://q]}\n",
            '2: registries["q.io"].mirror: unknown key (did you mean mirrors?)',
        ),
        (
            "registries:\n  q.io: {mirrors: [{url: 'https://q', headers: {X-Token: 5}}]}\n",
            (
                '2: registries["q.io"].mirrors[0].headers["X-Token"]:'
                " should be text (put it in quotes)"
            ),
        ),
        (
            "registries:\n  q.io: {mirrors: [q]}\n",
            '2: registries["q.io"].mirrors[0]: a url begins with https:// or http:// (value "q")',
        ),
        (
            "hosts: {'a:80': docker.io}\n",
            '1: hosts["a:80"]: not a host name (and it goes without a port)',
        ),
        ("listen: []\n", "1: listen: must not be empty"),
        ("timeouts: {stall: null}\n", None),
        ("a: 1\na: 2\n", None),
    ],
)
def test_mistake_is_told_once_and_in_plain_words(
    tmp_path: Path, text: str, told: str | None
) -> None:
    found = problems(tmp_path, text)
    if told is not None:
        assert found == [told]
    assert not [line for line in found if "pydantic" in line or "Input should" in line]


def test_duplicate_key_is_told_beside_the_other_mistakes(tmp_path: Path) -> None:
    text = "log: {level: info}\nadmin: nowhere\nlog: {level: debug}\n"
    assert [line.partition(": ")[0] for line in problems(tmp_path, text)] == ["2", "3"]


def test_syntax_error_has_its_line(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, "listen: a:1\nhosts: {\n")
    assert line.startswith("3: not YAML")


def test_missing_files_of_ca_and_password_are_looked_for_beside_the_file(tmp_path: Path) -> None:
    mirror = "{url: 'https://q', ca: ca.pem, credentials: {username: u, password_file: token}}"
    text = f"registries:\n  q.io: {{mirrors: [{mirror}]}}\n"
    assert [line.rpartition(": ")[2] for line in problems(tmp_path, text)] == [
        "there is no such file",
        'there is no such file (value "ca.pem")',
    ]
    (tmp_path / "ca.pem").write_text("x")
    (tmp_path / "token").write_text("hunter2\n")
    (mirror_settings,) = load_settings(tmp_path / "entrepot.yaml").registries["q.io"].mirrors
    assert mirror_settings.ca == tmp_path / "ca.pem"
    assert mirror_settings.credentials is not None
    assert mirror_settings.credentials.password == "hunter2"


def test_unreadable_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_settings(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_settings(tmp_path / "latin.yaml")


def test_overrides_lie_on_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "etc" / "entrepot.yaml"
    path.parent.mkdir()
    path.write_text("cache: {path: kept, memory: 1MiB}\nlisten: 127.0.0.1:1\n")
    assert load_settings(path).cache.path == tmp_path / "etc" / "kept"
    settings = load_settings(path, overrides={"cache": {"path": Path("var")}, "listen": "[::1]:0"})
    assert settings.cache.path == tmp_path / "var"
    assert settings.cache.memory == 1024**2
    assert [str(listener) for listener in settings.listen] == ["[::1]:0"]


def test_mistake_in_an_override_says_so(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"the command line: listen\[0\]: not an address"):
        load_settings(tmp_path / "f.yaml", overrides={"listen": ["nowhere"]})


def test_alias_made_a_registry_is_told_in_the_file_even_under_overrides(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("registries:\n  k8s.gcr.io: {mirrors: [https://q]}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(path, overrides={"cache": {"memory": 0}})
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [(str(path), 2)]


def test_file_lies_over_a_preset(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("registries: {docker.io: {mirrors: [https://q]}}\n")
    settings = load_settings(tmp_path / "f.yaml", preset="china")
    preset = load_settings(preset="china")
    assert settings.registries["quay.io"] == preset.registries["quay.io"]
    assert [mirror.url for mirror in settings.registries["docker.io"].mirrors] == ["https://q"]


def test_the_systems_file_lies_over_a_preset_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who adds a preset to the command has not taken their own settings back."""
    own = tmp_path / "entrepot.yaml"
    own.write_text("cache: {path: own}\n")
    monkeypatch.setattr("entrepot.config.loading.SYSTEM_FILE", own)
    settings = load_settings(preset="china")
    assert settings.cache.path == tmp_path / "own"
    assert settings.registries == load_settings(own, preset="china").registries


def test_a_registry_written_anew_is_served_under_its_other_names_as_before(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("registries: {registry.k8s.io: {mirrors: [https://m]}}\n")
    assert load_settings(path).canonical["k8s.gcr.io"] == "registry.k8s.io"
    path.write_text("registries: {registry.k8s.io: {mirrors: [https://m], aliases: []}}\n")
    assert "k8s.gcr.io" not in load_settings(path).canonical
    path.write_text(
        "registries: {k8s.gcr.io: {mirrors: [https://m]}, registry.k8s.io: {mirrors: [https://m]}}\n"
    )
    assert load_settings(path).canonical["k8s.gcr.io"] == "k8s.gcr.io"


def test_unknown_preset_names_the_nearest() -> None:
    assert preset_path("china").is_file()
    with pytest.raises(ConfigError) as caught:
        preset_path("chian")
    (problem,) = caught.value.problems
    assert isinstance(problem, Problem)
    assert problem.suggestion == "china"


def test_a_registry_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("registries: {a.example: {mirrors: [https://q]}}\n")
    assert written_registry("a.example", path) == {"mirrors": ["https://q"]}
    assert "mirrors" in written_registry("quay.io", path, "china")
    assert written_registry("none.example", path) == {}


def test_secrets_need_not_be_within_reach_where_nobody_uses_them(tmp_path: Path) -> None:
    path = tmp_path / "entrepot.yaml"
    credentials = "{username_env: NOT_SET_ANYWHERE, password_file: none}"
    mirrors = f'[{{url: "https://one.example", credentials: {credentials}}}]'
    registries = f"registries: {{registry.k8s.io: {{mirrors: {mirrors}}}}}"
    path.write_text(f"admin: {{address: 127.0.0.1:1, token_env: NOT_SET_ANYWHERE}}\n{registries}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert len(caught.value.problems) == 3
    [mirror] = load_settings(path, secrets=False).registries["registry.k8s.io"].mirrors
    assert mirror.credentials is not None
    assert mirror.credentials.password_file == tmp_path / "none"


def test_whereabouts_are_read_whatever_else_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "entrepot.yaml"
    path.write_text(f"{SIX_MISTAKES}admin: 127.0.0.1:1\ncache: {{path: here, max_size: lots}}\n")
    settings = load_whereabouts(path)
    assert settings.cache.path == tmp_path / "here"
    assert str(settings.admin) == "127.0.0.1:1"
    overrides = {"cache": {"path": tmp_path / "there"}}
    assert load_whereabouts(path, overrides=overrides).cache.path == tmp_path / "there"
    path.write_text("cache: 3\nlisten: [\n")
    assert load_whereabouts(path) == load_whereabouts(default_path())


@pytest.mark.parametrize("text", ["admin: 127.0.0.1:70000\n", "cache: {path: 3}\n"])
def test_mistake_in_the_whereabouts_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "entrepot.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"{path}:1: "):
        load_whereabouts(path)
