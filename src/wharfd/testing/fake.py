"""What every fake has in common: it can be told to fail the next call of one of its methods, and it keeps a list of its calls."""

from collections import defaultdict, deque


class Fake:
    """Base of the in-memory drivers.

    Each method of a port begins with `self.enter("name")`, which is where an ordered failure happens: before the method has done
    anything.  `parts` names the methods of objects that the port hands out.
    """

    parts: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.ordered: dict[str, deque[BaseException | None]] = defaultdict(deque)

    def fail_next(self, method: str, error: BaseException, *, skip: int = 0) -> None:
        """The next call of `method` (after `skip` good ones) raises `error`; the ones after it work again."""
        if method not in self.parts and not callable(getattr(self, method, None)):
            raise AttributeError(f"{type(self).__name__} has no method {method!r}")
        self.ordered[method].extend([None] * skip + [error])

    def enter(self, method: str) -> None:
        """Note the call; raise what was ordered for it."""
        self.calls.append(method)
        queue = self.ordered.get(method)
        if queue:
            error = queue.popleft()
            if error is not None:
                raise error

    def unfired(self) -> list[str]:
        """Methods with an ordered failure that did not happen: a test that ends with some has not tested it."""
        return sorted(method for method, queue in self.ordered.items() if any(error is not None for error in queue))
