"""How a verb ends: an exit code, and where it fails one line on stderr instead of a traceback."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn

import typer

from integration_operator.core.errors import Forbidden, IntegrationError

DEBUG = "KUBECTL_INTEGRATIONS_DEBUG"
"""Environment variable: when set, a fault of the program itself is shown with its traceback."""


class Failure(Exception):
    """What was asked can't be done: a sentence that says why and what to do, and the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def carry_out(work: Coroutine[Any, Any, int], failed: int = 1) -> NoReturn:
    """Run a verb's work and exit with its code; `failed` is the code of what it could not do."""
    try:
        code = asyncio.run(work)
        sys.stdout.flush()
    except Failure as failure:
        code = _say(str(failure), max(failed, failure.code))
    except Forbidden as error:
        code = _say(f"{error} (your rights in the cluster do not suffice)", failed)
    except IntegrationError as error:
        code = _say(str(error), failed)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # the reader, as `head`, has enough: nothing more may be written, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        code = _say(
            f"a fault of kubectl-integrations itself: {type(error).__name__}: {error} ({DEBUG}=1 shows where)", 70
        )
    raise typer.Exit(code)


def _say(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code
