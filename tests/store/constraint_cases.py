"""The rows of test_constraints.py: those that others refer to, and those that each constraint refuses."""

from typing import Any

from fastpay.domain.identifiers import Scope
from fastpay.domain.kinds import STORED
from tests.store.good_rows import GOOD, Row, name

# Rows that the others refer to or clash with, written first.
FIRST: list[tuple[str, Row]] = [
    ("object_version", {"object_id": name(101)}),
    ("customer", {"customer_id": name(102)}),
    ("payment_method", {"payment_method_id": name(103)}),
    ("payment_intent", {"payment_intent_id": name(104)}),
    ("payment_intent", {"payment_intent_id": name(114)}),
    ("charge", {"charge_id": name(105), "status": "failed", "captured": False, "amount_captured": 0,
                "amount_refunded": 0, "fee": 0}),
    ("charge", {"charge_id": name(115), "payment_intent_id": name(114)}),
    ("refund", {"refund_id": name(106)}),
    ("dispute", {"dispute_id": name(116)}),
    ("setup_intent", {"setup_intent_id": name(111)}),
    ("setup_attempt", {"setup_attempt_id": name(112)}),
    ("balance", {"balance_id": name(111)}),
    ("connected_account", {"connected_account_id": name(113)}),
    ("account_transfer", {"account_transfer_id": name(114)}),
    ("transfer_reversal", {"transfer_reversal_id": name(115)}),
    ("application_fee", {"application_fee_id": name(121)}),
    ("fee_refund", {"fee_refund_id": name(122)}),
    ("webhook_endpoint", {"webhook_endpoint_id": name(117)}),
    ("webhook_endpoint", {"webhook_endpoint_id": name(127)}),
    ("webhook_cursor", {"webhook_endpoint_id": name(117)}),
    ("webhook_position", {"number": 1}),
    ("webhook_exception", {"sequence": 4}),
    ("webhook_replay", {"webhook_replay_id": name(118)}),
    ("attempt", {"attempt_id": name(124)}),
    ("settlement", {"settlement_id": name(125)}),
    ("cash_transaction", {"cash_transaction_id": name(123)}),
    ("payout", {"payout_id": name(112)}),
    ("account", {"account_id": name(107), "code": "processor", "normal_side": "D"}),
    ("account", {"account_id": name(117), "code": "pending"}),
    ("transfer", {"transfer_id": name(108), "phase": "hold"}),
    ("transfer", {"transfer_id": name(118), "phase": "post", "hold_id": name(108)}),
    ("transfer", {"transfer_id": name(128), "phase": "hold"}),
    ("account", {"account_id": name(127), "code": "euro", "currency": "eur"}),
    ("ledger_transfer", {"sequence": 108, "phase": 2}),
    ("ledger_transfer", {"sequence": 118, "phase": 3, "hold_sequence": 108, "hold_position": 0}),
    ("ledger_transfer", {"sequence": 128, "phase": 2}),
    ("ledger_expiry", {"sequence": 108}),
    ("event", {"sequence": 1}),
    ("idempotency", {"digest": b"1" * 16}),
    ("search_entry", {"object_id": name(110)}),
    ("search_progress", {"livemode": True}),
]  # fmt: skip
STRANGER: Row = {"tenant_id": name(0)}
OF_A_BOOK = (
    "object_version", "customer", "payment_method", "payment_intent", "setup_intent",
    "connected_account", "webhook_endpoint", "balance", "payout", "account", "event", "idempotency",
    "search_progress", "settlement",
)  # fmt: skip
OF_VERSIONS = (
    "customer", "payment_method", "payment_intent", "charge", "refund", "dispute", "setup_intent",
    "setup_attempt", "connected_account", "account_transfer", "transfer_reversal", "application_fee",
    "fee_refund", "webhook_endpoint", "webhook_replay", "cash_transaction", "balance", "payout",
    "attempt", "settlement", "event",
)  # fmt: skip
# constraint: what of a good row is changed so that this constraint, and no other, refuses it.
CASES: dict[str, list[Row]] = {
    # The first row of a table is there already.
    **{f"{table}_pkey": [row] for table, row in reversed(FIRST)},
    **{f"{table}_book_fkey": [STRANGER] for table in OF_A_BOOK},
    **{f"{table}_version_from_one": [{"version": 0}] for table in OF_VERSIONS},
    "object_version_from_one": [{"version": 0}],
    "object_version_sequence_from_one": [{"sequence": 0}],
    "object_version_kind_known": [{"kind": 0}, {"kind": len(STORED) + 1}],
    "payment_method_customer_fkey": [{"customer_id": name(999)}],
    "payment_intent_customer_fkey": [{"customer_id": name(999)}],
    "payment_intent_status_known": [{"status": "paid", "amount_received": 0}],
    "payment_intent_currency_form": [{"currency": "USD"}, {"currency": "us"}, {"currency": "usd\n"}],
    "payment_intent_amount_positive": [{"amount": 0, "amount_received": 0, "status": "canceled"}],
    "payment_intent_received_within_overcapture": [{"amount_received": 121}],
    "payment_intent_capturable_within_amount": [
        {"amount_received": 0, "amount_capturable": 101, "status": "requires_capture"}
    ],
    "payment_intent_received_when_captured": [{"amount_received": 0}, {"status": "canceled"}],
    "payment_intent_parts_within_amount": [
        {"amount_received": 60, "amount_capturable": 41, "status": "requires_capture"}
    ],
    "payment_intent_capturable_when_held": [
        {"amount_capturable": 1},
        {"status": "requires_capture", "amount_received": 0},
    ],
    "charge_pkey": [{"charge_id": name(105)}],
    "charge_payment_intent_fkey": [{"payment_intent_id": name(999)}, STRANGER],
    "charge_customer_fkey": [{"customer_id": name(999)}],
    "charge_status_known": [
        {"status": "paid", "captured": False, "amount_captured": 0, "amount_refunded": 0, "fee": 0}
    ],
    "charge_currency_form": [{"currency": "U$D"}],
    "charge_amount_positive": [
        {"amount": 0, "captured": False, "amount_captured": 0, "amount_refunded": 0, "fee": 0}
    ],
    "charge_captured_within_overcapture": [{"amount_captured": 121}],
    "charge_refunded_within_captured": [{"amount_refunded": 91}, {"amount_refunded": -1}],
    "charge_fee_within_captured": [{"fee": 91}, {"fee": -1}],
    "charge_captured_has_amount": [{"captured": False}],
    "charge_captured_only_when_succeeded": [{"status": "failed"}],
    "charge_succeeds_once": [{"payment_intent_id": name(114)}],
    "refund_charge_fkey": [{"charge_id": name(999)}, {"currency": "eur"}, STRANGER],
    "refund_payment_intent_fkey": [{"payment_intent_id": name(999)}],
    "refund_of_a_payment_or_of_cash": [{"charge_id": None}, {"payment_intent_id": None}],
    "refund_status_known": [{"status": "done"}],
    "refund_currency_form": [{"currency": ""}],
    "refund_amount_positive": [{"amount": 0}, {"amount": -5}],
    "dispute_charge_fkey": [{"charge_id": name(999)}, {"currency": "eur"}, STRANGER],
    "dispute_payment_intent_fkey": [{"payment_intent_id": name(999)}],
    "dispute_status_known": [{"status": "done"}],
    "dispute_currency_form": [{"currency": ""}],
    "dispute_amount_positive": [{"amount": 0}, {"amount": -5}],
    "dispute_fee_not_negative": [{"fee": -1}],
    "setup_intent_payment_method_fkey": [{"payment_method_id": name(999)}],
    "setup_intent_customer_fkey": [{"customer_id": name(999)}],
    "setup_intent_status_known": [{"status": "done"}],
    "setup_attempt_setup_intent_fkey": [{"setup_intent_id": name(999)}, STRANGER],
    "setup_attempt_status_known": [{"status": "done"}],
    "account_transfer_destination_fkey": [{"destination_id": name(999)}, STRANGER],
    "account_transfer_currency_form": [{"currency": "USD"}],
    "account_transfer_amount_positive": [{"amount": 0}],
    "account_transfer_reversed_within_amount": [{"amount_reversed": 6}, {"amount_reversed": -1}],
    "transfer_reversal_transfer_fkey": [{"transfer_id": name(999)}, STRANGER],
    "transfer_reversal_currency_form": [{"currency": "USD"}],
    "transfer_reversal_amount_positive": [{"amount": 0}],
    "application_fee_account_fkey": [{"account_id": name(999)}, STRANGER],
    "application_fee_currency_form": [{"currency": "USD"}],
    "application_fee_amount_positive": [{"amount": 0}],
    "application_fee_refunded_within_amount": [{"amount_refunded": 6}, {"amount_refunded": -1}],
    "application_fee_charge_fkey": [{"charge_id": name(999)}, {"currency": "eur"}],
    "fee_refund_application_fee_fkey": [{"application_fee_id": name(999)}, STRANGER],
    "fee_refund_currency_form": [{"currency": "USD"}],
    "fee_refund_amount_positive": [{"amount": 0}],
    "webhook_endpoint_status_known": [{"status": "gone"}],
    "webhook_endpoint_deleted_disabled": [{"deleted": True}],
    "webhook_cursor_endpoint_fkey": [{"webhook_endpoint_id": name(999)}, STRANGER],
    "webhook_cursor_fence_from_one": [{"fence": 0}],
    "webhook_position_cursor_fkey": [{"webhook_endpoint_id": name(999)}, STRANGER],
    "webhook_position_number_from_one": [{"number": 0}],
    "webhook_position_not_negative": [{"position_before": -1}],
    "webhook_position_forward": [{"position_before": 10}],
    "webhook_position_previous_before": [{"previous_sequence": 10}],
    "webhook_position_generation_not_negative": [{"generation": -1}, {"changes": -1}],
    "webhook_position_delivered_before": [{"delivered_through": 10}],
    "webhook_exception_cursor_fkey": [{"webhook_endpoint_id": name(999)}, STRANGER],
    "webhook_exception_previous_before": [{"previous_sequence": 3}],
    "webhook_exception_attempts_not_negative": [{"attempts": -1}],
    "attempt_payment_intent_fkey": [{"payment_intent_id": name(999)}, STRANGER],
    "attempt_status_known": [{"status": "done", "held": 0, "due_at": None}],
    "attempt_operation_known": [{"operation": "guess"}],
    "attempt_currency_form": [{"currency": "USD"}],
    "attempt_amount_positive": [{"amount": 0, "held": 0}],
    "attempt_of_one_intent": [
        {"payment_intent_id": None},
        {"operation": "setup", "amount": 0, "held": 0},
        {"operation": "setup", "amount": 0, "held": 0, "payment_intent_id": None},
    ],
    "attempt_setup_intent_fkey": [
        {
            "operation": "setup",
            "amount": 0,
            "held": 0,
            "payment_intent_id": None,
            "setup_intent_id": name(999),
        },
    ],
    "attempt_held_while_open": [
        {"held": 0},
        {"held": 99},
        {"status": "approved", "due_at": None},
        {"status": "review", "held": 1, "due_at": None},
    ],
    "settlement_status_known": [{"status": "done"}],
    "settlement_currency_form": [{"currency": "USD"}],
    "settlement_differences_not_negative": [{"differences": -1, "status": "open"}],
    "settlement_gross_is_fee_and_net": [{"gross": 101, "ours": 91}],
    "settlement_closed_at_zero_difference": [{"differences": 1}, {"ours": 91}, {"accepted": 0}],
    "attempt_due_while_open": [{"status": "declined", "held": 0}],
    "webhook_replay_endpoint_fkey": [{"webhook_endpoint_id": name(999)}, STRANGER],
    "cash_transaction_customer_fkey": [{"customer_id": name(999)}, STRANGER],
    "cash_transaction_payment_intent_fkey": [
        {"payment_intent_id": name(999)},
        {"payment_intent_id": name(104), "currency": "eur"},
    ],
    "cash_transaction_refund_fkey": [{"refund_id": name(999)}, {"refund_id": name(106), "currency": "eur"}],
    "cash_transaction_currency_form": [{"currency": "USD"}],
    "cash_transaction_amount_by_type": [
        {"net_amount": 0},
        {"net_amount": -5},
        {"type": "applied_to_payment"},
        {"type": "return_initiated"},
        {"type": "return_canceled", "net_amount": -5},
        {"type": "lost"},
    ],
    "balance_credited_not_negative": [{"credited": -1}],
    "payout_status_known": [{"status": "lost"}],
    "payout_currency_form": [{"currency": "USD"}],
    "payout_amount_not_zero": [{"amount": 0}],
    "payout_due_while_open": [{"due_at": 5}, {"status": "pending"}],
    "account_pkey": [{"account_id": name(117), "code": "pending", "currency": "eur"}],
    "account_currency_form": [{"currency": "dollar"}],
    "account_normal_side_known": [{"normal_side": "X", "min_balance": None}],
    "account_debits_posted_not_negative": [{"debits_posted": -1}],
    "account_credits_posted_not_negative": [{"credits_posted": -1, "min_balance": None}],
    "account_debits_pending_not_negative": [{"debits_pending": -1}],
    "account_credits_pending_not_negative": [{"credits_pending": -1}],
    "account_within_min_balance": [
        {"debits_posted": 6},
        {"debits_pending": 1},
        {"normal_side": "D", "credits_pending": 1},
        {"normal_side": "D", "credits_posted": 6},
        {"min_balance": 1},
    ],
    "transfer_pkey": [{"transfer_id": name(108)}],
    "transfer_debit_account_fkey": [
        {"debit_account_id": name(999)},
        {"debit_account_id": name(127)},
    ],
    "transfer_credit_account_fkey": [{"credit_account_id": name(999)}, {"credit_account_id": name(127)}],
    "transfer_hold_fkey": [{"phase": "void", "hold_id": name(999)}],
    "transfer_amount_positive": [{"amount": 0}, {"amount": -1}],
    "transfer_between_two_accounts": [{"credit_account_id": name(107)}],
    "transfer_kind_known": [{"kind": "gift"}],
    "transfer_phase_known": [{"phase": "maybe"}],
    "transfer_ends_a_hold": [{"phase": "post"}, {"hold_id": name(128)}],
    "transfer_sequence_from_one": [{"sequence": 0}],
    "transfer_ends_hold_once": [{"phase": "void", "hold_id": name(108)}],
    "ledger_transfer_pkey": [{"sequence": 108}],
    "ledger_transfer_accounts_fkey": [
        STRANGER,
        {"debit_account_id": name(999)},
        {"credit_account_id": name(999)},
        {"debit_account_id": name(127)},
        {"credit_account_id": name(127)},
        {"currency": "eur"},
    ],
    "ledger_transfer_hold_fkey": [
        {"phase": 4, "hold_sequence": 999, "hold_position": 0},
        {"phase": 4, "hold_sequence": 118, "hold_position": 0},
        {"phase": 4, "hold_sequence": 128, "hold_position": 1},
        {"phase": 3, "hold_sequence": 128, "hold_position": 0, "amount": 6},
        {
            "phase": 4,
            "hold_sequence": 128,
            "hold_position": 0,
            "debit_account_id": name(117),
            "credit_account_id": name(107),
        },
    ],
    "ledger_transfer_ends_hold_once": [{"phase": 5, "hold_sequence": 108, "hold_position": 0}],
    "ledger_transfer_sequence_from_one": [{"sequence": 0}],
    "ledger_transfer_position_from_zero": [{"position": -1}],
    "ledger_transfer_phase_known": [{"phase": 0}, {"phase": 6, "hold_sequence": 128, "hold_position": 0}],
    "ledger_transfer_amount_positive": [{"amount": 0}, {"amount": -1}],
    "ledger_transfer_between_two_accounts": [{"credit_account_id": name(107)}],
    "ledger_transfer_counters_not_negative": [
        {"debits_posted": -1},
        {"debits_pending": -1},
        {"credits_posted": -1},
        {"credits_pending": -1},
    ],
    "ledger_transfer_ends_a_hold": [
        {"phase": 4},
        {"hold_sequence": 128, "hold_position": 0},
        {"phase": 4, "hold_sequence": 128},
    ],
    "ledger_transfer_only_holds_expire": [{"expires_at": "2024-01-01"}],
    "event_sequence_from_one": [{"sequence": 0}],
    "idempotency_digest_length": [{"digest": b"0" * 15}, {"digest": b"0" * 17}],
    "idempotency_key_length": [{"idempotency_key": ""}, {"idempotency_key": "k" * 256}],
    "search_progress_sequence_not_negative": [{"sequence": -1}],
}


async def insert(connection: Any, scope: Scope, table: str, changed: Row) -> None:
    """Write a good row with some of it changed."""
    row = {"tenant_id": scope.tenant_id, "livemode": scope.livemode, **GOOD[table], **changed}
    types = {
        record["attname"]: record["type"]
        for record in await connection.fetch(
            "select attname, format_type(atttypid, null) as type from pg_attribute "
            "where attrelid = $1::text::regclass and attnum > 0",
            table,
        )
    }
    places = ", ".join(
        f"${number}::{'bytea' if types[column] == 'bytea' else 'text'}::{types[column]}"
        for number, column in enumerate(row, start=1)
    )
    values = [value if value is None or isinstance(value, bytes) else str(value) for value in row.values()]
    await connection.execute(f"insert into {table} ({', '.join(row)}) values ({places})", *values)


async def prepare(connection: Any, scope: Scope) -> None:
    """Write the rows that others refer to."""
    for table, changed in FIRST:
        await insert(connection, scope, table, changed)
