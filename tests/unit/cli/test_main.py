"""The command as a whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from integration_operator.cli import run as running
from tests.unit.cli.support import CASES, run

PLUGIN = Path(sys.executable).with_name("kubectl-integrations")


@pytest.mark.parametrize("verb", ["plan", "status", "doctor"])
def test_every_verb_explains_itself_with_examples(verb: str) -> None:
    ended = run(verb, "--help")
    assert ended.code == 0
    assert f"kubectl integrations {verb}" in ended.out
    assert "Exit codes" in ended.out


def test_the_table_of_commands_is_what_one_sees_first() -> None:
    assert "plan" in run("--help").out
    assert run().code == 2


def test_an_unknown_option_is_an_error_in_a_line() -> None:
    ended = run("plan", "--nonsense")
    assert ended.code == 2
    assert "--nonsense" in ended.err


def test_version() -> None:
    assert run("version").out.startswith("kubectl-integrations 0.")


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = f"'{PLUGIN}' plan -f '{CASES / 'shop.yaml'}' -o yaml | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "---\n"
    assert done.stderr == ""


def test_what_is_piped_is_plain_and_unbroken() -> None:
    done = subprocess.run(
        [PLUGIN, "plan", "-f", CASES / "shop.yaml"], capture_output=True, text=True, env={**os.environ, "COLUMNS": "40"}
    )
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) > 100


def test_a_fault_of_the_program_is_a_line_unless_debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stumble() -> int:
        raise ZeroDivisionError("x")

    with pytest.raises(running.typer.Exit) as ended:
        running.carry_out(stumble())
    assert ended.value.exit_code == 70
    monkeypatch.setenv(running.DEBUG, "1")
    with pytest.raises(ZeroDivisionError):
        running.carry_out(stumble())
