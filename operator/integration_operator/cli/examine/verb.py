"""`doctor` from its options to its exit code."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

from integration_operator.cli.connect import connected
from integration_operator.cli.examine import certificates, egress, gateway, objects, operator, outbound
from integration_operator.cli.examine.finding import Examination, Finding, Level, Patient
from integration_operator.cli.installation import installations
from integration_operator.cli.options import Report
from integration_operator.cli.output import console, progress, text, to_json
from integration_operator.core.errors import Forbidden

EXAMINATIONS: tuple[Examination, ...] = (
    operator.deployments,
    operator.leaders,
    operator.definitions,
    gateway.kinds,
    gateway.controller,
    gateway.backends,
    gateway.own_gateway,
    certificates.certificates,
    gateway.headers,
    outbound.own_networks,
    egress.cut_off,
    objects.objects,
)
STYLE = {Level.OK: "good", Level.WARNING: "warning", Level.PROBLEM: "bad"}


async def doctor(output: Report, context: str | None, kubeconfig: str | None) -> int:
    """Examine everything; 1 where there is a problem."""
    async with connected(kubeconfig, context) as cluster:
        with progress("examining the cluster"):
            try:
                patient = Patient(cluster, tuple(await installations(cluster)))
            except Forbidden as error:
                patient = Patient(cluster, (), unseen=str(error))
            results = await asyncio.gather(*(examine(patient) for examine in EXAMINATIONS))
    findings = [finding for result in results for finding in result]
    if output is Report.JSON:
        print(to_json([asdict(finding) for finding in findings]))
    else:
        _print(findings)
    return 1 if any(finding.level is Level.PROBLEM for finding in findings) else 0


def _print(findings: Sequence[Finding]) -> None:
    out = console()
    for finding in findings:
        out.print(text((f"{finding.level:<8}", STYLE[finding.level]), finding.what))
        if finding.do:
            out.print(text(" " * 8, (f"→ {finding.do}", "faint")))
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    problems, warnings = counts[Level.PROBLEM], counts[Level.WARNING]
    out.print(f"\n{problems} problem{'' if problems == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}")
