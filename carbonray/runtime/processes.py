"""Work spread over processes of this machine: the same answers, in the same order, for any number of them.

Each process is a fresh interpreter that answers questions over its standard input and output, so that nothing is
asked of the caller's script (no `if __name__ == "__main__"`), of its threads, or of Ray.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Answer = TypeVar("Answer")

MOST = 8
"""Processes unless more are asked for: each holds a torch of its own, some 350 MiB."""
START = "from carbonray.runtime.processes import serve; serve()"
PATIENCE = 10
"""Seconds that a process without work gets to end by itself."""


def available() -> int:
    """Processes to use on this machine."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return min(len(allowed(0)) if allowed else os.cpu_count() or 1, MOST)


class _Process(Generic[Shared, Task, Answer]):
    """One process: a question, an answer."""

    def __init__(self, function: Callable[[Shared, Task], Answer], shared: Shared) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self._running = subprocess.Popen(
            [sys.executable, "-c", START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the caller, who ends this process
        )
        self._greeting: tuple[object, ...] = ((function, shared),)  # said with the first task, when it can listen

    def _say(self, what: object) -> None:
        assert self._running.stdin is not None
        pickle.dump(what, self._running.stdin)
        self._running.stdin.flush()

    def ask(self, task: Task) -> Answer:
        """The answer to a task.

        Raises:
            RuntimeError: with the traceback of the process, or if it ended.
        """
        assert self._running.stdout is not None
        try:
            for said in (*self._greeting, task):
                self._say(said)
            self._greeting = ()
            good, answer = pickle.load(self._running.stdout)
        except (EOFError, OSError, ValueError) as error:
            raise RuntimeError("a side process ended before its answer") from error
        if not good:
            raise RuntimeError(f"a side process failed:\n{answer}")
        return answer  # type: ignore[no-any-return]

    def end(self, *, at_once: bool) -> None:
        """Let it go; no question may be under way unless it ends at once."""
        if at_once:
            self._running.kill()
        for pipe in (self._running.stdin, self._running.stdout):
            if pipe is not None:
                _close(pipe)
        try:
            self._running.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:  # what was not yet sent cannot be sent any more
        return


@contextmanager
def crew(
    function: Callable[[Shared, Task], Answer], shared: Shared, number: int
) -> Iterator[Callable[[Task], "Future[Answer]"]]:
    """Processes that apply a function to tasks; leaving the block by an error ends them at once.

    Args:
        function: of a module, called with `shared` and a task; both and the answer can be pickled.
        shared: sent to each process once.
        number: of processes.
    Yields:
        what hands in a task.
    """
    free: SimpleQueue[_Process[Shared, Task, Answer]] = SimpleQueue()
    processes: list[_Process[Shared, Task, Answer]] = []

    def answered(task: Task) -> Answer:
        process = free.get()
        try:
            return process.ask(task)
        finally:
            free.put(process)

    pool = ThreadPoolExecutor(number)
    whole = False
    try:
        for _ in range(number):
            processes.append(_Process(function, shared))
            free.put(processes[-1])
        yield lambda task: pool.submit(answered, task)
        pool.shutdown()
        whole = True
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.end(at_once=not whole)


def serve() -> None:
    """Answer questions until the input ends: the other side of `crew`."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints must not speak in between
    from carbonray.runtime.inprocess import threads

    with threads(1):
        try:
            function, shared = pickle.load(questions)
            while True:
                task = pickle.load(questions)
                pickle.dump(_outcome(function, shared, task), answers)
                answers.flush()
        except (EOFError, BrokenPipeError):
            os._exit(0)


def _outcome(function: Callable[[Any, Any], Any], shared: object, task: object) -> tuple[bool, Any]:
    try:
        return True, function(shared, task)
    except Exception:
        import traceback

        return False, traceback.format_exc()
