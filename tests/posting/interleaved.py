"""A pull request in memory, where two stacks are posted at once and each request waits for its turn in a given order."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from tierstack.posting.post import Comment, post

T = TypeVar("T")


class Request:
    """What the pull request has. `turns`: whose request reaches it next; the last of them goes on, then the other."""

    def __init__(self, before: Mapping[str, str], turns: Sequence[str]) -> None:
        self.comments: dict[str, str] = {}
        self.labelled: set[str] = set()
        self._turns, self._running = list(turns), set[str]()
        self._turn = threading.Condition()
        for marker, classes in before.items():
            post(_Forge(self, ""), f"{marker}\nbefore", classes.split(), labels=True)

    def post_all(self, after: Mapping[str, str]) -> None:
        """Post a report for each stack, all at once."""
        self._running = set(after)
        threads = [threading.Thread(target=self._post, args=one) for one in after.items()]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

    def _post(self, marker: str, classes: str) -> None:
        try:
            post(_Forge(self, marker), f"{marker}\nafter", classes.split(), labels=True)
        finally:
            with self._turn:
                self._running.discard(marker)
                self._turn.notify_all()

    def answer(self, who: str, act: Callable[[], T]) -> T:
        """What `act` gives, when it is the turn of `who`; nobody else's request is carried out meanwhile."""
        with self._turn:
            self._turn.wait_for(lambda: not who or self._next() in (who, ""))
            if who and len(self._turns) > 1:
                del self._turns[0]
            self._turn.notify_all()
            return act()

    def _next(self) -> str:
        """Whose turn it is: nobody waits for one who has ended."""
        while len(self._turns) > 1 and self._running and self._turns[0] not in self._running:
            del self._turns[0]
        return self._turns[0] if self._turns[0] in self._running else ""


class _Forge:
    """The pull request as one of the two sees it. Each label is added and removed by a request of its own."""

    def __init__(self, request: Request, who: str) -> None:
        self._request, self._who = request, who

    def own_comments(self) -> list[Comment]:
        bodies = self._answer(lambda: list(self._request.comments.values()))
        return [Comment(index, body) for index, body in enumerate(bodies)]

    def create(self, body: str) -> None:
        self._answer(lambda: self._request.comments.update({body.partition("\n")[0]: body}))

    def update(self, comment: int, body: str) -> None:
        self.create(body)

    def delete(self, comment: int) -> None:
        raise AssertionError("no comment is there twice")

    def labels(self) -> list[str]:
        return self._answer(lambda: sorted(self._request.labelled))

    def change_labels(self, add: Sequence[str], remove: Sequence[str]) -> None:
        for name in add:
            self._answer(lambda name=name: self._request.labelled.add(name))
        for name in remove:
            self._answer(lambda name=name: self._request.labelled.discard(name))

    def _answer(self, act: Callable[[], T]) -> T:
        return self._request.answer(self._who, act)
