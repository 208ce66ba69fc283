"""Work of many requests in one go: order, refusals one by one, and a queue that has an end."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from serve.together import BusyError, Together


def test_what_comes_while_a_go_is_under_way_joins_the_next() -> None:
    goes: list[list[str]] = []
    started, go_on = threading.Event(), threading.Event()

    def act(asked: Sequence[str]) -> list[str]:
        goes.append(list(asked))
        started.set()
        go_on.wait()
        return [one.upper() for one in asked]

    async def ask() -> list[str]:
        queue: Together[str, str] = Together(act, name="t", most=3, waiting=10)
        first = asyncio.create_task(queue.ask("a"))
        await asyncio.to_thread(started.wait)
        others = [asyncio.create_task(queue.ask(one)) for one in ("b", "cc", "d")]
        await asyncio.sleep(0)
        go_on.set()
        return [await first, *(await asyncio.gather(*others))]

    assert asyncio.run(ask()) == ["A", "B", "CC", "D"]
    assert goes == [["a"], ["b", "cc"], ["d"]]  # three letters fit into one


def test_a_refusal_is_of_one_and_a_failure_of_all_that_went_together() -> None:
    def act(asked: Sequence[str]) -> list[str | Exception]:
        if "fail" in asked:
            raise OSError("full")
        return [ValueError(one) if one == "bad" else one for one in asked]

    async def ask(*words: str) -> list[str | BaseException]:
        queue: Together[str, str] = Together(act, name="t", most=100, waiting=10)
        return await asyncio.gather(*map(queue.ask, words), return_exceptions=True)

    good, bad = asyncio.run(ask("good", "bad"))
    assert (good, type(bad)) == ("good", ValueError)
    assert [type(one) for one in asyncio.run(ask("fail", "other"))] == [OSError, OSError]


def test_more_than_may_wait_is_refused() -> None:
    go_on = threading.Event()

    def act(asked: Sequence[str]) -> list[str]:
        go_on.wait()
        return list(asked)

    async def ask() -> None:
        queue: Together[str, str] = Together(act, name="t", most=1, waiting=2)
        tasks = [asyncio.create_task(queue.ask(one)) for one in "ab"]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await queue.ask("c")
        go_on.set()
        assert await asyncio.gather(*tasks) == ["a", "b"]

    asyncio.run(ask())
