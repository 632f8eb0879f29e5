"""A code interpreter that runs Python in a subprocess, in its own directory, under limits.

It is no sandbox. The code runs as the emulator's user: it can read that user's files and use the
network. Time, memory, file sizes and outputs are limited. The environment, which may have secrets,
is not passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..models.base import Logs, OutputFile

WARNING = (
    "Code interpreter runs Python on this machine, as this user. It is NO sandbox: the code can"
    " read your files and use your network. Give it only code that you would run yourself."
)
MNT_DATA = "/mnt/data/"
_CHILD = Path(__file__).with_name("code_child.py")
_PASSED = ("PATH", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a piece of code may use."""

    seconds: float = 30.0
    memory: int = 1024 * 1024 * 1024
    file_bytes: int = 32 * 1024 * 1024
    output_bytes: int = 256 * 1024
    files: int = 20


class SubprocessInterpreter:
    """Runs every piece of code in a new process and a new directory with the run's files."""

    def __init__(self, limits: Limits | None = None) -> None:
        if sys.platform == "win32":  # pragma: no cover - no resource limits there
            raise OSError("the subprocess code interpreter needs POSIX resource limits")
        self.limits = limits or Limits()

    async def run(self, code: str, files: Mapping[str, bytes]) -> Sequence[Logs | OutputFile]:
        """What the code printed (errors too), and the files that it made or changed."""
        with tempfile.TemporaryDirectory(prefix="emulator-code-") as name:
            place = _furnish(Path(name, "data"), files)
            before = dict(_regular_files(place))
            # Agents know their files as /mnt/data/…, which is the working directory here.
            printed = await self._execute(code.replace(MNT_DATA, f"{place}/"), place)
            printed = printed.replace(f"{place}/", MNT_DATA)
            made = self._made(place, before)
        outputs: list[Logs | OutputFile] = [Logs(printed)] if printed or not made else []
        return [*outputs, *made]

    async def _execute(self, code: str, place: Path) -> str:
        limits = self.limits
        cpu = max(1, round(limits.seconds) + 1)
        # The output goes to a file: processes that are left behind would keep a pipe open.
        with tempfile.TemporaryFile(dir=place.parent) as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-X",
                "utf8",
                str(_CHILD),
                *map(str, (cpu, limits.memory, limits.file_bytes)),
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=place,
                env=_environment(place.parent),
                start_new_session=True,
            )
            note = ""
            try:
                await asyncio.wait_for(_feed(process, code), limits.seconds)
            except asyncio.TimeoutError:
                note = f"\nThe code was stopped after {limits.seconds:g} seconds.\n"
            finally:
                _kill_group(process.pid)
            await process.wait()
            printed = _start_of(output, limits.output_bytes)
        if not note and (process.returncode or 0) < 0:
            number = -(process.returncode or 0)
            note = f"\nThe code was stopped by {signal.Signals(number).name}.\n"
        return printed + note

    def _made(self, place: Path, before: Mapping[str, tuple[int, int]]) -> list[OutputFile]:
        found: list[OutputFile] = []
        for name, known in _regular_files(place):
            if before.get(name) == known or len(found) == self.limits.files:
                continue
            with contextlib.suppress(OSError):
                data = _read_file(place / name, self.limits.file_bytes)
                found.append(OutputFile(data, name))
        return found


async def _feed(process: asyncio.subprocess.Process, code: str) -> None:
    """Give the process its code and wait for its end."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(code.encode("utf-8", "replace"))
        await process.stdin.drain()
    process.stdin.close()
    await process.wait()


def _environment(home: Path) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return {**passed, "HOME": str(home), "TMPDIR": str(home), "MPLBACKEND": "Agg"}


def _furnish(place: Path, files: Mapping[str, bytes]) -> Path:
    """The directory that the code runs in."""
    place.mkdir()
    for filename, data in files.items():
        place.joinpath(Path(filename).name).write_bytes(data)
    return place


def _start_of(output: IO[bytes], limit: int) -> str:
    """What was printed, up to the limit."""
    size = output.seek(0, os.SEEK_END)
    output.seek(0)
    text = output.read(limit).decode("utf-8", "replace")
    return text + (f"\n[{size - limit} more bytes of output]\n" if size > limit else "")


def _kill_group(pid: int) -> None:
    """End the process and all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _regular_files(place: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Names of files directly in a directory, with time and size; links and hidden files not."""
    for entry in sorted(os.scandir(place), key=lambda e: e.name):
        if entry.is_file(follow_symlinks=False) and not entry.name.startswith("."):
            about = entry.stat(follow_symlinks=False)
            yield entry.name, (about.st_mtime_ns, about.st_size)


def _read_file(path: Path, limit: int) -> bytes:
    """A regular file's bytes; anything else is an OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path.name} is no regular file")
        return file.read(limit)
