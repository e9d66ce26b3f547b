"""`entrepot pins` itself."""

from click.testing import CliRunner

from entrepot.cli import main


def test_help_names_its_commands() -> None:
    result = CliRunner().invoke(main, ["pins", "--help"])
    assert result.exit_code == 0
    assert {"check", "import", "lock"} <= set(result.stdout.split())


def test_unknown_command_is_status_2() -> None:
    assert CliRunner().invoke(main, ["pins", "imprt"]).exit_code == 2
