"""What operators and scheduled functions do besides carrying cancellations out.

They look at dead-letter queues, tell of what lies there, judge and replay messages, ask providers what
became of a request, resolve by hand, publish again and reconcile. Everything here may be killed at any point
and started again: nothing is lost, and money moves only through the queues and ``refunds.service``.

::

    cancel_queues ◀─ dead_letters ◀─ replay ─▶ replay_verdicts, ledger.audit, rate_limiter
                          ▲
                          └── telling ─▶ service.refund_service
    dead_letters, resolution ◀─ discarding
    ledger.queries ◀─ resolution ◀─ sweeper ─▶ asking_schedule, walk
    ledger.queries ◀─ reconciliation ─▶ walk;  republication
    pause ◀─ carry_over
"""
