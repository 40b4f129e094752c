"""Runs the layers of tests, each with all its set-up, and says at the end what ran and how long it took."""

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev import build, clusters, outside, stack
from dev.versions import ROOT

CLUSTER = "test"
"""The cluster that `make test` brings up and takes down: not the one of the demo."""


@dataclass(frozen=True)
class Layer:
    """A layer of tests: where they lie, and how many run at once (they wait more than they work)."""

    name: str
    paths: tuple[str, ...]
    workers: int


LAYERS = {
    layer.name: layer
    for layer in (
        Layer("unit", ("tests/unit",), 2),
        Layer("api", ("tests/api",), 3),
        Layer("e2e", ("tests/drivers", "tests/e2e"), 4),
    )
}


@dataclass(frozen=True)
class Result:
    """How a layer ended."""

    layer: str
    passed: int
    failed: int
    skipped: int
    seconds: float


def run(names: list[str], keep: bool) -> bool:
    """Run layers one after the other, all of them even if one fails; whether all is well."""
    results = [_run(LAYERS[name], keep) for name in names]
    print()
    for r in results:
        print(
            f"{r.layer:<6} {r.passed + r.failed:>5} tests, {r.failed} failed, {r.skipped} skipped, {r.seconds:>6.0f} s"
        )
    passed, failed, skipped = (sum(getattr(r, f) for r in results) for f in ("passed", "failed", "skipped"))
    print(f"total: {passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return failed == 0 and all(r.passed for r in results)


def _run(layer: Layer, keep: bool) -> Result:
    began = time.monotonic()
    print(f"\n── {layer.name} ──", flush=True)
    with _setting(layer, keep) as environment, tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = [sys.executable, "-m", "pytest", "-q", "--dist=loadfile", f"-n{layer.workers}"]
        command += [f"--junitxml={report.name}", "--durations=5", *layer.paths]
        code = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode
        return _read(layer, Path(report.name), code, began)


def _read(layer: Layer, report: Path, code: int, began: float) -> Result:
    try:
        suite = next(ET.parse(report).getroot().iter("testsuite")).attrib
        failed = int(suite["failures"]) + int(suite["errors"])
        skipped = int(suite["skipped"])
        passed = int(suite["tests"]) - failed - skipped
    except (ET.ParseError, StopIteration):
        passed = failed = skipped = 0
    if code != 0:
        failed = max(failed, 1)
    return Result(layer.name, passed, failed, skipped, time.monotonic() - began)


@contextmanager
def _setting(layer: Layer, keep: bool) -> Iterator[dict[str, str]]:
    """What the layer needs; yields environment variables for its tests."""
    if layer.name == "api":
        build.ensure("etcd", "kube-apiserver", "kubectl")
    if layer.name != "e2e":
        yield {}
        return
    name = os.environ.get("TEST_CLUSTER", CLUSTER)
    try:
        cluster = stack.up(name)
        yield {"CLUSTER_NAME": name, "KUBECONFIG": str(cluster.kubeconfig)}
    finally:
        if not keep:
            outside.of(name).stop()
            clusters.choose(name).down()
