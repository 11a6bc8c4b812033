"""What faults do instead of carrying a call out, and right before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.simulator.faults import Fault, FaultKind
from local.simulator.movements import Actor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.simulator.calls import Call
    from local.simulator.wire import Reply

INSTEAD: Mapping[FaultKind, Callable[[Call, Fault], Reply]] = {
    FaultKind.REFUSE: lambda call, fault: call.provider.refuse(call, fault),
    FaultKind.UNSETTLED: lambda call, _fault: call.provider.refuse_for_now(call),
    FaultKind.LOOKUP_404: lambda call, _fault: call.provider.not_found(call),
    FaultKind.TOKEN_EXPIRED: lambda call, _fault: call.provider.expire_credentials(call),
}

"""Kinds that answer in the place of the provider."""

MEANWHILE: Mapping[FaultKind, Callable[[Call, Fault], None]] = {
    FaultKind.SOMEBODY_ELSE: lambda call, fault: call.provider.interfere(call, fault.exact_amount),
    FaultKind.DEPOSIT: lambda call, _fault: call.provider.deposit(call.subject, Actor.SOMEBODY_ELSE),
    FaultKind.PAID_AGAIN: lambda call, fault: call.provider.pay_again(
        call.subject, keep=fault.chosen_variant == "kept"
    ),
    FaultKind.REISSUED: lambda call, _fault: call.provider.reissue(call.subject),
    FaultKind.REVERSED: lambda call, fault: call.provider.reverse(call.subject, fault.chosen_variant),
}
"""Kinds that change the world right before a request is looked at."""
