"""What operators and scheduled functions do besides carrying cancellations out.

They look at dead-letter queues, judge and replay messages, ask providers what became of a request,
settle by hand, publish again and reconcile. Everything here may be killed at any point and started
again: nothing is lost, and money moves only through the queues and ``refunds.service``.

::

    lanes ◀─ dead_letters ◀─ replay ─▶ verdicts, ledger.audit, pace
    ledger.queries ◀─ settlement ◀─ sweeper
    ledger.queries ◀─ reconciliation, republication
"""
