"""Call policies as values: each bounds one way a call can go wrong; knows no model and no tool."""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.resilience.again import NO, Again, Classify, Decision, No, Yes, by_error
    from airworthy.resilience.breaker import Breaker, BreakerState, Mode, Permit, Refusal, Result
    from airworthy.resilience.bulkhead import Bulkhead, Compartment, Full
    from airworthy.resilience.circuit import Change, Circuit, CircuitOpen
    from airworthy.resilience.egress import (
        INTERNET_ONLY,
        Egress,
        EgressRefused,
        async_transport,
        checked_addresses,
        checked_addresses_async,
        sync_transport,
    )
    from airworthy.resilience.pace import Pace, Pacer, TooFast
    from airworthy.resilience.refused import Refused
    from airworthy.resilience.retry import DeadlinePassed, GaveUp, Retrier, Retry, RetryAccount, RetryBudget
    from airworthy.resilience.retry_after import parse_retry_after
    from airworthy.resilience.timeout import (
        Abandoned,
        Ended,
        TimedOut,
        WorkCrashed,
        bounded,
        bounded_in_thread,
    )
    from airworthy.resilience.transport import reached

__getattr__ = late(
    __name__,
    {
        "again": "Again Classify Decision NO No Yes by_error",
        "breaker": "Breaker BreakerState Mode Permit Refusal Result",
        "bulkhead": "Bulkhead Compartment Full",
        "circuit": "Change Circuit CircuitOpen",
        "egress": (
            "Egress EgressRefused INTERNET_ONLY async_transport checked_addresses "
            "checked_addresses_async sync_transport"
        ),
        "pace": "Pace Pacer TooFast",
        "refused": "Refused",
        "retry": "DeadlinePassed GaveUp Retrier Retry RetryAccount RetryBudget",
        "retry_after": "parse_retry_after",
        "timeout": "Abandoned Ended TimedOut WorkCrashed bounded bounded_in_thread",
        "transport": "reached",
    },
)

__all__ = [
    "INTERNET_ONLY",
    "NO",
    "Abandoned",
    "Again",
    "Breaker",
    "BreakerState",
    "Bulkhead",
    "Change",
    "Circuit",
    "CircuitOpen",
    "Classify",
    "Compartment",
    "DeadlinePassed",
    "Decision",
    "Egress",
    "EgressRefused",
    "Ended",
    "Full",
    "GaveUp",
    "Mode",
    "No",
    "Pace",
    "Pacer",
    "Permit",
    "Refusal",
    "Refused",
    "Result",
    "Retrier",
    "Retry",
    "RetryAccount",
    "RetryBudget",
    "TimedOut",
    "TooFast",
    "WorkCrashed",
    "Yes",
    "async_transport",
    "bounded",
    "bounded_in_thread",
    "by_error",
    "checked_addresses",
    "checked_addresses_async",
    "parse_retry_after",
    "reached",
    "sync_transport",
]
