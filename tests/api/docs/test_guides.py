"""The guides, word for word: a copy with the kind, or the driver, of the guide serves it on a real API server."""

import pytest

from tests.api.docs.guide import Command, Newcomer, steps

GUIDES = ["add-a-kind.md", "add-a-driver.md"]


@pytest.mark.parametrize("guide", GUIDES)
def test_what_the_guide_says_works(guide: str, newcomer: Newcomer) -> None:
    newcomer.follow(guide)


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_proves_what_it_adds(guide: str) -> None:
    """So that a guide that lost its commands does not pass for one that works."""
    commands = [step for step in steps(guide) if isinstance(step, Command)]
    lines = [command.line for command in commands]
    for must in ("make generate", "make check", ".venv/bin/python -m pytest", "kubectl apply -f examples/"):
        assert any(must in line for line in lines), must
    assert any(line.startswith("kubectl wait --for=condition=Ready") for line in lines)
    assert any("True" in command.output for command in commands if command.line.startswith("kubectl get"))
