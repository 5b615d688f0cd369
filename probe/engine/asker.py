"""Questions to DNS, each put once while several want its answer."""

from __future__ import annotations

import asyncio

from probe.core.records.answer import Answer, Question
from probe.ports_dns import Ask


class Asker:
    """Puts each question once at a time, and with `remember` once for all."""

    def __init__(self, ask: Ask, *, remember: bool) -> None:
        """`ask` is who puts a question in the end, or another asker."""
        self._ask = ask
        self._remember = remember
        self._answers: dict[Question, asyncio.Future[Answer | None]] = {}

    async def ask(self, question: Question) -> Answer:
        """The answer; whoever asks meanwhile gets the same."""
        while asked := self._answers.get(question):
            answer = await asyncio.shield(asked)
            if answer is not None:
                return answer
        return await self._put(question)

    async def _put(self, question: Question) -> Answer:
        asked = self._answers[question] = asyncio.get_running_loop().create_future()
        answer: Answer | None = None  # None: we were cancelled, the others try by themselves.
        try:
            answer = await self._ask(question)
        finally:
            if answer is None or not self._remember:
                del self._answers[question]
            asked.set_result(answer)
        return answer
