"""What providers know, asked through the functions: no person needs the providers' keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from refunds.domain.entry import Key
from refunds.errors import LookupFailed, RefundsError
from refunds.operators.dead_letters import DeadLetterMessage
from refunds.operators.replay_verdicts import Judgement, Judging, ReplayVerdict

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

#: Of message bodies in one invocation; Lambda takes 6 MB, and JSON in JSON grows.
_MOST_CHARACTERS: Final = 1_000_000
_MOST_MESSAGES: Final = 10
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})


class FunctionFailed(RefundsError):
    """The function that was to ask did not answer; the text has its error."""


@dataclass(frozen=True)
class Found:
    """What the sweeper's function found out about one request, and did."""

    finding: str
    settled: bool
    published: bool


class Questions:
    """Asks by invoking functions.

    Args:
        replay_function: judges messages.
        sweeper_function: asks about single requests.
        ledger_alone: judges where nobody may be asked.
    """

    def __init__(
        self, client: LambdaClient, *, replay_function: str, sweeper_function: str, ledger_alone: Judging
    ) -> None:
        self._client = client
        self._replay_function = replay_function
        self._sweeper_function = sweeper_function
        self._ledger_alone = ledger_alone

    def ask(self, key: Key) -> Found:
        """Have the provider asked about a request; what is proven is recorded and told.

        Raises:
            LookupFailed: the provider gave no usable answer.
            FunctionFailed: the function did not.
        """
        answer = self._invoke(self._sweeper_function, {"ask": [str(key)]})
        (found,) = answer["findings"]
        if not found["answered"]:
            raise LookupFailed(str(found["finding"]))
        return Found(str(found["finding"]), bool(found["settled"]), bool(found["published"]))

    def judge(self, messages: Sequence[DeadLetterMessage]) -> list[Judgement]:
        """A judgement for each message; by the ledger alone where the function does not answer."""
        return [judgement for some in _portions(messages) for judgement in self._judge(some)]

    def _judge(self, messages: Sequence[DeadLetterMessage]) -> list[Judgement]:
        asked = [{"cancel_type": one.queues.cancel_type, "body": one.body} for one in messages]
        try:
            answer = self._invoke(self._replay_function, {"judge": asked})
        except FunctionFailed as error:
            return [_unanswered(one, str(error)) for one in self._ledger_alone.judge(messages)]
        return [
            Judgement(ReplayVerdict(one["verdict"]), one["why"], one["unanswered"])
            for one in answer["verdicts"]
        ]

    def _invoke(self, name: str, event: Mapping[str, Any]) -> Any:
        try:
            answer = self._client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        except ClientError as error:
            if error.response["Error"]["Code"] not in _DENIED:
                raise
            raise FunctionFailed(f"you may not invoke {name}, which asks the provider") from None
        said = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            what = (
                said.get("errorMessage", "no reason given") if isinstance(said, dict) else "no reason given"
            )
            raise FunctionFailed(f"{name} failed: {what}")
        return said


def _portions(messages: Sequence[DeadLetterMessage]) -> Iterator[list[DeadLetterMessage]]:
    """In order, each small enough for one invocation."""
    portion: list[DeadLetterMessage] = []
    for one in messages:
        size = sum(len(other.body) for other in portion) + len(one.body)
        if portion and (len(portion) == _MOST_MESSAGES or size > _MOST_CHARACTERS):
            yield portion
            portion = []
        portion.append(one)
    if portion:
        yield portion


def _unanswered(judgement: Judgement, why: str) -> Judgement:
    """As the ledger has it; what has ended needs no answer."""
    if judgement.verdict not in {ReplayVerdict.SAFE, ReplayVerdict.UNKNOWN}:
        return judgement
    return Judgement(
        judgement.verdict, f"{judgement.why}. The provider could not be asked: {why}", unanswered=True
    )
