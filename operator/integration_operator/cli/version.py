"""`kubectl integrations version`: which version this is."""

from importlib.metadata import version as installed


def version() -> None:
    """Print the version."""
    print(f"kubectl-integrations {installed('integration-operator')}")
