"""Looks at images in one process beside this one, which has something else to do first."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from mmap import mmap
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from contract.errors import BadImage
from contract.picture import Chunk, Looker, Picture
from data_preparation.in_processes import interrupts_held_back, usable_cpus

PIPE_BYTES = 1 << 20  # what is told of ten thousand images: nobody listens at first

Told = tuple[Any, ...] | BadImage  # what a picture has without its data, and where these lie; -1: nowhere


def look_beside(
    meanwhile: Callable[[], None], keep_bytes: int, looker: Looker, chunks: Sequence[Chunk]
) -> Iterator[list[Picture | BadImage]]:
    """As `map(looker, chunks)`, after `meanwhile()`; images beyond the first `keep_bytes` come without their data.

    Data lie in memory that both processes have, so that they are neither sent nor copied here. What a process leaves
    that was killed, and everything where none can begin or there is one CPU, is done here.
    """
    rest = iter(chunks)
    started = None
    if sys.platform == "linux" and usable_cpus() > 1 and threading.active_count() == 1:  # threads survive no fork
        with suppress(OSError):  # no memory for it, or no more processes
            memory = mmap(-1, keep_bytes)
            started = _start(looker, chunks, memory)
    if started:
        view = memoryview(memory)
        ours, process = started
        try:
            meanwhile()
            for told in _all_that_is_told(ours):
                next(rest)
                yield [_heard(each, view) for each in told]
        finally:
            process.kill()
            process.join()
            ours.close()
    else:
        meanwhile()
    yield from map(looker, rest)


def _start(looker: Looker, chunks: Sequence[Chunk], memory: mmap) -> tuple[Connection, BaseProcess]:
    import fcntl

    fork = multiprocessing.get_context("fork")
    ours, its = fork.Pipe(duplex=False)
    with suppress(PermissionError):  # an account has so many pages of pipes; it works with a small one
        fcntl.fcntl(its.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    process = fork.Process(target=_tell, args=(looker, chunks, memory, ours, its), daemon=True)
    with interrupts_held_back():
        process.start()
    its.close()
    return ours, process


def _tell(looker: Looker, chunks: Sequence[Chunk], memory: mmap, ours: Connection, its: Connection) -> None:
    """The process. When nobody listens any more, it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ours.close()  # with it open, it would never notice
    at = 0
    with suppress(BrokenPipeError):
        for chunk in chunks:
            told: list[Told] = []
            for picture in looker(chunk):
                if isinstance(picture, BadImage):
                    told.append(picture)
                    continue
                fits = at + picture.size <= len(memory)
                told.append((*picture[:-1], at if fits else -1))
                if fits:
                    memory[at : at + picture.size] = picture.data
                    at += picture.size
            its.send(told)


def _all_that_is_told(ours: Connection) -> Iterator[list[Told]]:
    """Until the process has ended, well or not."""
    with suppress(EOFError, OSError):
        while True:
            yield ours.recv()


def _heard(told: Told, view: memoryview) -> Picture | BadImage:
    if isinstance(told, BadImage):
        return told
    *rest, at = told
    return Picture._make((*rest, b"" if at < 0 else view[at : at + rest[0]]))
