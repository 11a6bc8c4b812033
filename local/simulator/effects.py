"""What a fault that decides the answer does to it."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

from local.simulator.faults import Fault, FaultKind
from local.simulator.wire import JSON_HEADERS, Answer, LossKind, Lost, Reply

if TYPE_CHECKING:
    from local.simulator.calls import Call

HANG_SECONDS = 600.0
RETRY_AFTER_SECONDS = 1
HUGE_BODY_BYTES = 32 * 1024 * 1024
MAINTENANCE_PAGE = "<!DOCTYPE html><html><body><h1>서비스 점검 중입니다</h1></body></html>".encode()
NOT_JSON = b"OK"
HTML_HEADERS = {"content-type": "text/html; charset=utf-8"}
UNSENT = Answer(200, JSON_HEADERS, b'{"code": 0, "message": null, "response": {"imp_uid": "imp_0000"}}')


def unheard(fault: Fault, call: Call) -> Answer | Lost:
    """The end of a request that was never looked at."""
    match fault.kind:
        case FaultKind.REFUSE_CONNECTION:
            return Lost(LossKind.REFUSED)
        case FaultKind.HTTP_429:
            seconds = RETRY_AFTER_SECONDS if fault.seconds is None else int(fault.seconds)
            reply = call.provider.error(call, fault, 429)
            return Reply(429, reply.payload, {**JSON_HEADERS, "retry-after": str(seconds)}).encoded()
        case FaultKind.TRUNCATED_BODY_BEFORE_COMMIT | FaultKind.MALFORMED_HEAD_BEFORE_COMMIT:
            return _spoilt(fault, UNSENT)
        case FaultKind.HTTP_5XX_BEFORE_COMMIT:
            return call.provider.error(call, fault, 503).encoded()
        case FaultKind.DROP_BEFORE_COMMIT | FaultKind.HANG_BEFORE_COMMIT:
            return lost(fault)
        case _:
            return _unreadable(fault)


def answered(fault: Fault, call: Call, reply: Reply) -> Answer | Lost:
    """What becomes of the answer to a call that was carried out."""
    match fault.kind:
        case FaultKind.WRONG_ECHO:
            call.provider.distort(reply, fault.chosen_variant)
            return reply.encoded()
        case FaultKind.ERROR_ANSWER_AFTER_COMMIT:
            return call.provider.applied_but_refused(call, fault).encoded()
        case FaultKind.TRUNCATED_BODY_AFTER_COMMIT | FaultKind.MALFORMED_HEAD_AFTER_COMMIT:
            return _spoilt(fault, reply.encoded())
        case FaultKind.HTTP_5XX_AFTER_COMMIT:
            return call.provider.error(call, fault, 503).encoded()
        case FaultKind.DROP_AFTER_COMMIT | FaultKind.HANG_AFTER_COMMIT:
            return lost(fault)
        case _:
            return _unreadable(fault)


def sent(fault: Fault, answer: Answer) -> Answer:
    """A complete answer as it is sent: compressed, or padded with white space to `size` bytes."""
    if fault.kind is FaultKind.GZIP:
        packed = gzip.compress(answer.body, compresslevel=9, mtime=0)
        return replace(answer, headers={**answer.headers, "content-encoding": "gzip"}, body=packed)
    return replace(answer, body=answer.body.ljust(fault.size or HUGE_BODY_BYTES))


def lost(fault: Fault) -> Lost:
    """The connection dies the way the fault says: reset unless told otherwise."""
    hangs = fault.kind in (FaultKind.HANG_BEFORE_COMMIT, FaultKind.HANG_AFTER_COMMIT)
    kind = LossKind.HANG if hangs else LossKind(fault.loss or LossKind.RESET)
    if kind is not LossKind.HANG:
        return Lost(kind)
    seconds = fault.seconds if hangs and fault.seconds is not None else HANG_SECONDS
    return Lost(kind, delay_seconds=seconds)


def truncated(answer: Answer) -> Lost:
    """The answer with half of its body."""
    return Lost(LossKind.TRUNCATED, answer, sent_bytes=len(answer.body) // 2)


def _spoilt(fault: Fault, answer: Answer) -> Lost:
    malformed = fault.kind in (FaultKind.MALFORMED_HEAD_BEFORE_COMMIT, FaultKind.MALFORMED_HEAD_AFTER_COMMIT)
    return Lost(LossKind.MALFORMED, answer) if malformed else truncated(answer)


def _unreadable(fault: Fault) -> Answer:
    status = fault.status or 200
    if fault.kind in (FaultKind.HTML_BEFORE_COMMIT, FaultKind.HTML_AFTER_COMMIT):
        return Answer(status, HTML_HEADERS, MAINTENANCE_PAGE)
    if fault.kind in (FaultKind.EMPTY_BODY_BEFORE_COMMIT, FaultKind.EMPTY_BODY_AFTER_COMMIT):
        return Answer(status, JSON_HEADERS, b"")
    return Answer(status, JSON_HEADERS, NOT_JSON)
