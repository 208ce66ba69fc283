"""Work that many requests want at once, done in one go: predictions of a batch, rows of one transaction.

What comes while a go is under way joins the next, so nobody waits for others who have not come yet.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T", bound=Sized)
R = TypeVar("R")


class BusyError(RuntimeError):
    """More is waiting than may; says what."""


class Together(Generic[T, R]):
    """A queue in front of one thread."""

    def __init__(self, act: Callable[[Sequence[T]], Sequence[R | Exception]], *, name: str, most: int, waiting: int):
        """Set it up.

        Args:
            act: answers several asked things in order; an exception in its place refuses one alone.
            name: of the thread.
            most: total length of what is done in one go, where it holds more than one.
            waiting: things that may wait; what comes beyond is refused.
        """
        self._act, self._most, self._waiting = act, most, waiting
        self._queue: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._going: asyncio.Task[None] | None = None

    async def ask(self, one: T) -> R:
        """The answer to one thing.

        Raises:
            BusyError: if too much is waiting.
        """
        if len(self._queue) >= self._waiting:
            raise BusyError("too many requests wait; ask again later")
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.append((one, answer))
        if self._going is None or self._going.done():
            self._going = asyncio.create_task(self._go())
        return await answer

    async def finish(self) -> None:
        """Wait until nothing is under way."""
        while self._going is not None and not self._going.done():
            await asyncio.wait([self._going])

    async def _go(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            taken = self._take()
            try:
                found = await loop.run_in_executor(self._thread, self._act, [one for one, _ in taken])
            except Exception as error:
                found = [error] * len(taken)
            for (_, answer), result in zip(taken, found, strict=True):
                if answer.done():  # whoever asked has gone
                    continue
                if isinstance(result, Exception):
                    answer.set_exception(result)
                else:
                    answer.set_result(result)

    def _take(self) -> list[tuple[T, "asyncio.Future[R]"]]:
        """What fits into one go, at least one."""
        taken = [self._queue.popleft()]
        length = len(taken[0][0])
        while self._queue and length + len(self._queue[0][0]) <= self._most:
            taken.append(self._queue.popleft())
            length += len(taken[-1][0])
        return taken
