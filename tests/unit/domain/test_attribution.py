from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from refunds.domain.attribution import Own, Search, Unclear, confirm_own, find_own
from refunds.domain.operation import Baseline, ResolveContext, Siblings
from refunds.errors import Refused

TAG = "[rf:aaaaaaaaaa]"
OTHERS_TAG = "[rf:bbbbbbbbbb]"
PAID = 10_000
ASKED = 3_000
SEARCH = Search(Decimal(ASKED), TAG, f"고객 변심 {TAG}")
UNASKED = Baseline(subject="imp_1", cancellable=Decimal(PAID))
"""Nobody looked: the event brought its own checksum."""


def looked(*seen: str, cancellable: int = PAID) -> Baseline:
    return Baseline(subject="imp_1", cancellable=Decimal(cancellable), cancellation_ids=seen)


@dataclass(frozen=True)
class Entry:
    """A cancellation as any provider may show it."""

    cancellation_id: str | None
    amount: Decimal
    reason: str
    cancelled_at: int
    is_done: bool = True

    @property
    def name(self) -> str:
        """Its id."""
        return f"{self.cancellation_id}"


@dataclass(frozen=True)
class Payment:
    """A payment as any provider may show it."""

    amount: Decimal
    cancelled: Decimal
    history: tuple[Entry, ...]

    @property
    def cancellable(self) -> Decimal:
        """What is left."""
        return self.amount - self.cancelled


def entry(
    name: str | None, amount: int = ASKED, *, reason: str = "", at: int = 100, done: bool = True
) -> Entry:
    return Entry(name, Decimal(amount), reason, at, done)


def payment(*history: Entry, paid: int = PAID, cancelled: int | None = None) -> Payment:
    total = sum(entry.amount for entry in history)
    return Payment(Decimal(paid), Decimal(total if cancelled is None else cancelled), history)


def after_silence(held: tuple[str, ...] = (), open_amounts: tuple[int | None, ...] = ()) -> ResolveContext:
    """Our attempt got no answer."""
    return ResolveContext(None, only_attempt=False, siblings=lambda: siblings(held, open_amounts))


def after_refusal(held: tuple[str, ...] = ()) -> ResolveContext:
    """Our only attempt was refused."""
    return ResolveContext(Refused("refused"), only_attempt=True, siblings=lambda: siblings(held, ()))


def siblings(held: tuple[str, ...], open_amounts: tuple[int | None, ...]) -> Siblings:
    amounts = (None if amount is None else Decimal(amount) for amount in open_amounts)
    return Siblings(frozenset(held), tuple(amounts))


def found(result: Own[Entry] | Unclear | None) -> str | None:
    """The id of the entry found."""
    assert isinstance(result, Own), result
    return result.entry.cancellation_id


# --- the answer to our own success


def test_of_two_equal_cancellations_in_one_second_the_later_listed_is_ours() -> None:
    """Two requests must never both claim the first of two equal cancellations made in one second."""
    baseline = looked(cancellable=PAID - ASKED)
    answer = payment(entry("theirs"), entry("ours"))
    own = confirm_own(answer, Baseline(subject="imp_1", cancellable=baseline.cancellable), SEARCH)
    assert found(own) == "ours"


def test_a_success_whose_history_lacks_us_is_not_proven_by_an_older_equal_entry() -> None:
    """Without a look before, an answer proves us only if its history accounts for all that is cancelled."""
    answer = payment(entry("theirs"), cancelled=2 * ASKED)
    assert confirm_own(answer, Baseline(subject="imp_1", cancellable=Decimal(PAID - ASKED)), SEARCH) is None


def test_an_answer_that_shows_our_tag_twice_is_no_success() -> None:
    """The gateway has carried it out more than once: a person has to look."""
    twice = payment(entry("1", reason=TAG), entry("2", reason=TAG))
    assert confirm_own(twice, looked(), SEARCH) is None


def test_parts_that_add_up_are_not_called_a_repetition() -> None:
    """Points and card of one refund: a person looks, and is told what there is."""
    parts = payment(entry("1", 2_000, reason=TAG), entry("2", 1_000, reason=TAG))
    unclear = find_own(parts, looked(), SEARCH, after_silence())
    assert isinstance(unclear, Unclear)
    assert "in parts that together are what was asked" in unclear.message
    assert unclear.for_ever


# --- our only attempt was refused


def test_a_refusal_does_not_disown_a_new_cancellation_whatever_its_text() -> None:
    """A PG that carries a refund out, calls it refused and changes the reason gets no second one."""
    answer = payment(entry("new", reason="PG 취소"))
    assert isinstance(find_own(answer, looked(), SEARCH, after_refusal()), Unclear)


def test_a_refusal_does_not_disown_an_equal_cancellation_nobody_looked_for_before() -> None:
    """With the event's own checksum, an equal cancellation without a text may be ours."""
    answer = payment(entry("new", reason=""))
    assert isinstance(find_own(answer, UNASKED, SEARCH, after_refusal()), Unclear)


def test_somebody_elses_words_do_not_explain_a_refusal_where_nobody_looked() -> None:
    """A PG may cut a reason that it cannot encode: only age or another holder tells it from ours."""
    answer = payment(entry("console", reason="관리자 취소", at=10_000))
    now = replace(after_refusal(), sent_at=10_000.0)
    assert isinstance(find_own(answer, UNASKED, SEARCH, now), Unclear)
    assert find_own(answer, UNASKED, SEARCH, replace(now, sent_at=20_000.0)) is None
    held = replace(after_refusal(held=("console",)), sent_at=10_000.0)
    assert find_own(answer, UNASKED, SEARCH, held) is None


def test_any_recent_cancellation_makes_a_blind_refusal_unclear() -> None:
    """Where nobody looked, an entry without a time, or of another amount, explains nothing."""
    now = replace(after_refusal(), sent_at=10_000.0)
    for odd in (entry("odd", at=0), entry("odd", 2_700, at=10_000), entry(None, 1, reason="x", at=10_001)):
        assert isinstance(find_own(payment(odd), UNASKED, SEARCH, now), Unclear), odd


def test_a_blind_refusal_needs_the_whole_movement_explained() -> None:
    """Money that the history does not show may have been moved by us."""
    answer = payment(entry("old", at=100), cancelled=2 * ASKED)
    late = replace(after_refusal(), sent_at=10_000.0)
    assert isinstance(find_own(answer, UNASKED, SEARCH, late), Unclear)


def test_an_entry_of_another_amount_that_could_be_ours_is_unclear() -> None:
    """A PG that takes a discount back books less than was asked: nothing may be sent again."""
    answer = payment(entry("new", 2_700))
    for context in (after_silence(), after_refusal()):
        assert isinstance(find_own(answer, looked(), SEARCH, context), Unclear)
    cut = payment(entry("new", 2_700, reason="고객 변"))
    assert isinstance(find_own(cut, looked(), SEARCH, after_silence()), Unclear)
    theirs = payment(entry("new", 2_700, reason="관리자 취소"))
    assert find_own(theirs, looked(), SEARCH, after_silence()) is None
    assert find_own(answer, looked(), SEARCH, after_silence(held=("new",))) is None


@pytest.mark.parametrize("reason", ["", TAG])
def test_an_entry_that_says_it_is_not_done_proves_nothing(reason: str) -> None:
    """An entry with a status of its own is believed only if it says that it is done."""
    answer = payment(entry("new", reason=reason, done=False))
    assert isinstance(find_own(answer, looked(), SEARCH, after_silence()), Unclear)
    assert confirm_own(answer, looked(), SEARCH) is None


def test_a_cancellation_settled_by_hand_may_have_made_it() -> None:
    """A person recorded a cancellation of this amount without its id: the entry may be that one."""
    answer = payment(entry("new"))
    by_hand = Siblings(settled_by_hand=(Decimal(ASKED),))
    context = replace(after_silence(), siblings=lambda: by_hand)
    assert isinstance(find_own(answer, looked(), SEARCH, context), Unclear)


def test_an_inferred_entry_has_a_name_to_be_held_by() -> None:
    """What carries no tag is held in the ledger under its id; a tagged one needs no holder."""
    inferred = find_own(payment(entry("new")), looked(), SEARCH, after_silence())
    assert isinstance(inferred, Own)
    assert inferred.held_as == "new"
    tagged = find_own(payment(entry("new", reason=TAG)), looked(), SEARCH, after_silence())
    assert isinstance(tagged, Own)
    assert tagged.held_as is None


def test_an_equal_cancellation_older_than_our_send_is_not_ours() -> None:
    """What was cancelled before we sent is what we were refused for."""
    answer = payment(entry("old", reason=""))
    retry_later = replace(after_refusal(), sent_at=(answer.history[0].cancelled_at) + 3_600.0)
    assert find_own(answer, UNASKED, SEARCH, retry_later) is None


def test_seconds_do_not_tell_an_older_cancellation_from_ours() -> None:
    """Two clocks differ: what PortOne dates shortly before our send may be what our send did."""
    answer = payment(entry("new", reason=""))
    retry_later = replace(after_refusal(), sent_at=(answer.history[0].cancelled_at) + 150.0)
    assert isinstance(find_own(answer, UNASKED, SEARCH, retry_later), Unclear)


def test_an_equal_cancellation_from_before_the_checksum_is_not_ours() -> None:
    """The balance has moved by less than our amount since: what is in the history was there already."""
    answer = payment(entry("old"), entry("new", 2_000))
    baseline = Baseline(subject="imp_1", cancellable=Decimal(PAID - ASKED))
    late = replace(after_refusal(), sent_at=10_000.0)
    assert find_own(answer, baseline, SEARCH, late) is None


def test_a_cancellation_another_request_has_proven_is_not_ours_after_a_refusal() -> None:
    """What the ledger holds for somebody else explains the refusal."""
    answer = payment(entry("theirs"))
    assert find_own(answer, looked(), SEARCH, after_refusal(held=("theirs",))) is None


def test_a_cancellation_with_another_requests_tag_is_not_ours() -> None:
    """The PG keeps tags, so what carries another one is another's."""
    answer = payment(entry("theirs", reason=OTHERS_TAG))
    assert find_own(answer, looked(), SEARCH, after_refusal()) is None


# --- our attempt got no answer


def test_the_only_new_cancellation_of_our_amount_is_ours() -> None:
    """A PG that keeps no reason: new, our amount, nobody else's."""
    assert found(find_own(payment(entry("new")), looked(), SEARCH, after_silence())) == "new"


@pytest.mark.parametrize(
    "history",
    [(entry("console", reason="고객 변심"),), (entry("1", 500, reason=OTHERS_TAG), entry("console"))],
    ids=["our words without our tag", "this payment keeps tags"],
)
def test_an_entry_that_would_carry_our_tag_is_not_proven_to_be_ours(
    history: tuple[Entry, ...],
) -> None:
    """Somebody at the console may cancel as much, for the reason that the customer gave."""
    shown = payment(*history)
    assert isinstance(find_own(shown, looked(), SEARCH, after_silence()), Unclear)


def test_an_open_request_of_the_same_amount_may_have_made_it() -> None:
    """Two requests in doubt and one cancellation: neither may claim it."""
    answer = payment(entry("new"))
    assert isinstance(find_own(answer, looked(), SEARCH, after_silence(open_amounts=(ASKED,))), Unclear)


def test_a_full_cancellation_in_doubt_may_have_made_it() -> None:
    """Of a request for "all that is left" nobody knows the amount."""
    answer = payment(entry("new"))
    assert isinstance(find_own(answer, looked(), SEARCH, after_silence(open_amounts=(None,))), Unclear)


def test_where_nobody_looked_the_cancellation_that_met_our_checksum_is_ours() -> None:
    """An equal cancellation from before the event is told from ours by the balance it met."""
    baseline = Baseline(subject="imp_1", cancellable=Decimal(PAID - ASKED))
    answer = payment(entry("old", at=50), entry("new", at=100))
    assert found(find_own(answer, baseline, SEARCH, after_silence())) == "new"


def test_where_nobody_looked_an_older_equal_cancellation_is_not_taken_for_ours() -> None:
    """The balance moved by somebody else's 5,000: our amount in the history is from before, and not ours."""
    baseline = Baseline(subject="imp_1", cancellable=Decimal(PAID - ASKED))
    answer = payment(entry("old", at=50), entry("theirs", 5_000, at=100))
    assert isinstance(find_own(answer, baseline, SEARCH, after_silence()), Unclear)


def test_a_new_cancellation_that_the_balance_does_not_show_is_no_answer() -> None:
    """A balance shown too high must not turn our own cancellation into "not carried out"."""
    answer = payment(entry("new"), paid=PAID + ASKED)
    assert isinstance(find_own(answer, looked(), SEARCH, after_silence()), Unclear)


def test_a_cancellation_without_an_id_is_never_overlooked() -> None:
    """It may be ours: the refund must not be sent a second time because an id is missing."""
    answer = payment(entry(None))
    assert isinstance(find_own(answer, looked(), SEARCH, after_silence()), Unclear)
    assert isinstance(find_own(answer, looked(), SEARCH, after_refusal()), Unclear)


def test_our_tag_proves_a_cancellation_without_an_id() -> None:
    """The tag is ours alone."""
    answer = payment(entry(None, reason=TAG))
    assert isinstance(find_own(answer, looked(), SEARCH, after_silence()), Own)


def test_a_history_that_does_not_add_up_proves_nothing() -> None:
    """Something was cancelled that the history does not show: it may be ours."""
    answer = payment(cancelled=ASKED)
    assert isinstance(find_own(answer, looked(), SEARCH, after_silence()), Unclear)
    assert isinstance(find_own(answer, looked(), SEARCH, after_refusal()), Unclear)


def test_what_explained_a_refusal_never_proves_us_later() -> None:
    """Once nobody knows of the refusal any more, its explanation looks like our own cancellation."""
    answer = payment(entry("new"))
    unclear = find_own(answer, looked(), SEARCH, after_refusal())
    assert isinstance(unclear, Unclear)
    assert unclear.suspects == ("new",)
    remembered = replace(looked(), suspects=unclear.suspects)
    assert isinstance(find_own(answer, remembered, SEARCH, after_silence()), Unclear)


def test_a_cancellation_older_than_our_first_claim_does_not_prove_us() -> None:
    """What happened hours before us is not ours, and not a reason to send again either."""
    answer = payment(entry("old", at=100))
    late = replace(after_silence(), sent_at=10_000.0)
    assert isinstance(find_own(answer, UNASKED, SEARCH, late), Unclear)
    assert isinstance(find_own(answer, looked(), SEARCH, late), Unclear)


def test_a_balance_shown_too_high_does_not_hide_our_own_cancellation() -> None:
    """Nobody looked before: an entry of our amount since our claim is unclear, whatever the balance shows."""
    for shown in (PAID + 2_000, PAID + ASKED):
        grown = payment(entry("ours"), paid=shown)
        result = find_own(grown, UNASKED, SEARCH, after_silence())
        assert isinstance(result, Unclear), shown


def test_what_the_order_service_knew_of_is_not_unclear() -> None:
    """Nobody looked before: an entry from before our claim, or another request's, leaves us free to send."""
    silence = replace(after_silence(), sent_at=10_000.0)
    earlier = payment(entry("earlier", at=100), paid=PAID + ASKED)
    assert find_own(earlier, UNASKED, SEARCH, silence) is None
    sibling = payment(entry("sibling", at=10_000), paid=PAID + ASKED)
    held = replace(after_silence(held=("sibling",)), sent_at=10_000.0)
    assert find_own(sibling, UNASKED, SEARCH, held) is None
