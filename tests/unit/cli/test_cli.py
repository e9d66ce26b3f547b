"""The command itself."""

import subprocess
import sys

from click.testing import CliRunner

from entrepot import __version__
from entrepot.cli import main


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert {"check-config", "serve"} <= set(result.stdout.split())


def test_version_is_told() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"entrepot {__version__}\n")


def test_module_is_the_command() -> None:
    command = [sys.executable, "-m", "entrepot", "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == f"entrepot {__version__}\n"


def test_unknown_command_is_status_2() -> None:
    assert CliRunner().invoke(main, ["chek-config"]).exit_code == 2
