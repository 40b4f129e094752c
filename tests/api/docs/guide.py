"""Follows a guide of docs/ word for word: writes its files, makes its edits, runs its commands, compares the output.

In a guide,
- "**New file** `path`" is followed by a block that is the whole file;
- "**Edit** `path`" is followed by one or more diff blocks, each of one hunk that is found just once;
- a console block holds commands (`$ `), some with the output that they must give. A command that ends with `&` runs on.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".pytest_cache", ".hypothesis", "*.egg-info")
_PART = re.compile(r"^\*\*(New file|Edit)\*\* `([^`]+)`$|^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECONDS = re.compile(r"\b\d+(\.\d+)?(ms|s)\b")


@dataclass(frozen=True)
class NewFile:
    path: str
    text: str

    def follow(self, newcomer: "Newcomer") -> None:
        file = newcomer.folder / self.path
        assert not file.exists(), f"{self.path} is there already"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.text)


@dataclass(frozen=True)
class Edit:
    path: str
    hunk: str

    def follow(self, newcomer: "Newcomer") -> None:
        lines = self.hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        file = newcomer.folder / self.path
        text = file.read_text()
        assert text.count(before) == 1, f"{self.path} has {text.count(before)} times:\n{before}"
        file.write_text(text.replace(before, after))


@dataclass(frozen=True)
class Command:
    line: str
    output: str
    """Empty where the guide shows none: then anything will do."""

    def follow(self, newcomer: "Newcomer") -> None:
        if self.line.startswith(newcomer.stands_for):
            return
        if self.line.endswith(" &"):
            newcomer.start(self.line.removesuffix(" &"))
            return
        done = newcomer.run(self.line)
        assert done.returncode == 0, f"$ {self.line}\n{done.stdout}{done.stderr}"
        if self.output:
            assert _plain(done.stdout) == _plain(self.output), f"$ {self.line}\n{done.stdout}{done.stderr}"


Step = NewFile | Edit | Command


def steps(guide: str) -> Iterator[Step]:
    """Everything that a guide says to do, in its order."""
    verb, path = "", ""
    for part in _PART.finditer((ROOT / "docs" / guide).read_text()):
        if part[1]:
            verb, path = part[1], part[2]
        elif verb == "New file":
            yield NewFile(path, part[4])
            verb = ""
        elif part[3] == "diff":
            assert verb == "Edit", f"no file is named for:\n{part[4]}"
            yield Edit(path, part[4])
        elif part[3] == "console":
            yield from _commands(part[4])


def _commands(block: str) -> Iterator[Command]:
    for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, output = text.partition("\n")
        yield Command(line, output)


def _plain(text: str) -> list[list[str]]:
    """Words by line; times that passed are alike."""
    return [_SECONDS.sub("<time>", line).split() for line in text.strip().splitlines()]


@dataclass
class Newcomer:
    """Somebody who follows a guide in a copy of the repository, which sees nothing of the original."""

    folder: Path
    environment: Mapping[str, str]
    stands_for: tuple[str, ...] = ()
    """Beginnings of commands that the test has done in its own way."""
    background: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def copy(cls, folder: Path, environment: Mapping[str, str], stands_for: tuple[str, ...] = ()) -> "Newcomer":
        shutil.copytree(ROOT, folder, ignore=COPIED, symlinks=True)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        # The copy's environment is the original's, which is set up: make must never do it from here.
        for cause in ("requirements/dev.txt", "pyproject.toml"):
            os.utime(folder / cause, (0, 0))
        own = {
            **os.environ,
            "PYTHONPATH": f"{folder / 'operator'}:{folder}",
            "PYTHON": "false",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return cls(folder, {**own, **environment}, stands_for)

    def follow(self, guide: str) -> None:
        for step in steps(guide):
            step.follow(self)

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def start(self, line: str) -> None:
        log = (self.folder / f"background-{len(self.background)}.log").open("wb")
        with log:
            self.background.append(
                subprocess.Popen(
                    ["bash", "-c", line],
                    cwd=self.folder,
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def logs(self) -> str:
        return "\n".join(f.read_text(errors="replace")[-5000:] for f in sorted(self.folder.glob("background-*.log")))

    def stop(self) -> None:
        for process in self.background:
            os.killpg(process.pid, signal.SIGTERM)
        for process in self.background:
            process.wait(timeout=30)
