"""A queue drained by several environments at once, as Lambda's SQS trigger does it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import psutil

from bench.events import Message, Orders
from bench.measure import BATCH
from bench.runtime import Environment

CONCURRENCY = 5


@dataclass(frozen=True)
class Drain:
    """So many messages in so many seconds; what the machine's processors did meanwhile.

    Attributes:
        messages: how many were drained.
        seconds: of wall time.
        functions: seconds of processor time of all environments' processes.
        services: seconds of processor time of the simulated services.
    """

    messages: int
    seconds: float
    functions: float
    services: float

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds

    @property
    def cpu(self) -> float:
        """Seconds of processor time a message."""
        return self.functions / self.messages


class Fleet:
    """Warm environments that take batches from one queue.

    Args:
        start: makes an environment.
        services: process id of the simulated services.
        orders: makes the work that warms the environments up.
    """

    def __init__(self, start: Callable[[], Environment], services: int, orders: Orders) -> None:
        self._stack = ExitStack()
        self._environments = [self._stack.enter_context(start()) for _ in range(CONCURRENCY)]
        self._pollers = self._stack.enter_context(ThreadPoolExecutor(CONCURRENCY))
        self._services = psutil.Process(services)
        list(
            self._pollers.map(lambda environment: environment.invoke(orders.batch(BATCH)), self._environments)
        )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the environments."""
        self._stack.close()

    def drain(self, messages: Iterable[Message], only: int | None = None) -> Drain:
        """Settle them all, or ``only`` so many of those that are queued."""
        queue = deque(messages)
        count = len(queue) if only is None else min(only, len(queue))
        kept = len(queue) - count
        lock = threading.Lock()

        def take() -> list[Message]:
            with lock:
                return [queue.popleft() for _ in range(min(BATCH, len(queue) - kept))]

        def poll(environment: Environment) -> None:
            while records := take():
                environment.invoke({"Records": records})

        used, served = self._used(), self._served()
        start = time.perf_counter()
        for finished in [self._pollers.submit(poll, environment) for environment in self._environments]:
            finished.result()
        seconds = time.perf_counter() - start
        return Drain(count, seconds, self._used() - used, self._served() - served)

    def _used(self) -> float:
        return sum(environment.cpu() for environment in self._environments)

    def _served(self) -> float:
        times = self._services.cpu_times()
        return float(times.user + times.system)
