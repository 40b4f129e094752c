"""Tries claim mappings and rules on their examples, in a process of their own that may not cost much."""

import asyncio
import json
import os
import sys
from datetime import timedelta
from enum import StrEnum
from typing import Any

from integration_operator.core.addresses import Outbound
from integration_operator.core.plan import Outcome
from integration_operator.drivers.identity import Claims

WORKER = "integration_operator.workers.claims"
SAID_LIMIT = 1024
AT_ONCE = 2
"""Processes: what they may take in memory together must fit beside the operator (see workers/claims.py)."""
ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
"""What a worker needs of ours; settings and credentials are not for it."""


class Reason(StrEnum):
    """What came of the examples: add freely, never rename."""

    PASSED = "ExamplesPassed"
    """Every expression compiles, and every example gives what it says."""
    INVALID = "InvalidExpression"
    """An expression does not compile, or can't give what is wanted there."""
    FAILED = "ExampleFailed"
    """An example gives something else."""
    COSTLY = "ExpressionTooCostly"
    """An expression needs too much time or memory."""


class ClaimsProbe:
    """Driver `claims`: its good outcome holds the user of each example, as `data["users"]`."""

    name = "claims"

    def __init__(self, rules: Outbound) -> None:
        """It connects to nothing."""
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def probe(self, target: Any, timeout: timedelta) -> Outcome:
        """See drivers.base.Probe."""
        assert isinstance(target, Claims)
        found = await self.judge(target, timeout)
        if found is None:
            message = "an expression needs too much time or memory on an example: write it simpler"
            return Outcome(False, Reason.COSTLY, message)
        if wrong := found.get("wrong"):
            return Outcome(False, Reason.INVALID, wrong[:SAID_LIMIT], hurry=False)
        if failed := found["failed"]:
            return Outcome(False, Reason.FAILED, "; ".join(failed)[:SAID_LIMIT], hurry=False)
        return Outcome(True, Reason.PASSED, data={"users": found["users"]})

    async def judge(self, claims: Claims, timeout: timedelta) -> dict[str, Any] | None:
        """What the worker says (see workers/claims.py); None where it says nothing in time."""
        async with self._turn:
            return await self._judge(claims, timeout)

    async def _judge(self, claims: Claims, timeout: timedelta) -> dict[str, Any] | None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            WORKER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        )
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                answer, _ = await process.communicate(claims.request.encode())
        except TimeoutError:
            return None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return dict(json.loads(answer)) if answer and process.returncode == 0 else None
