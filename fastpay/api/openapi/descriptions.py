"""What each parameter means, by its name: nothing else in the program says it in words.

`PARAMETERS` has the meanings that hold wherever a name is used, also for the fields of objects that show what
was sent. `PARTICULAR` has those of one type of parameters, by its name in the document. A parameter that has
parameters inside is described by the docstring of its type. Fields of objects have tables of their own.
"""

from collections.abc import Mapping

from fastpay.api.openapi.fields import FIELDS
from fastpay.api.openapi.particular_fields import PARTICULAR_FIELDS
from fastpay.api.openapi.schemas import NULL, Schema

PARTICULAR: Mapping[str, Mapping[str, str]] = {
    "acceptance_params": {"type": "How the customer has accepted the mandate."},
    "accounts_create_params": {
        "country": "Country of the account, by its two letters (ISO 3166-1).",
        "type": "Kind of connected account.",
    },
    "accounts_dashboard_params": {"type": "Dashboard that the account gets."},
    "accounts_business_profile_params": {
        "name": "Name that customers know the business by.",
        "url": "Public web page of the business.",
    },
    "application_fees_refund_params": {"amount": "Amount to refund; all that is left by default."},
    "authenticate_params": {"outcome": "How the cardholder's challenge ends."},
    "cash_balances_fund_params": {
        "amount": "Amount that the customer transfers.",
        "reference": "Reference that the bank passes on with the transfer.",
    },
    "charges_capture_params": {"amount": "Amount to capture; all that is authorized by default."},
    "customers_create_params": {"source": "Token or source that becomes the default card."},
    "customers_update_params": {"source": "Token or source that becomes the default card."},
    "disputes_create_params": {
        "amount": "Disputed amount; all of the charge by default.",
        "reason": "Reason that the cardholder gives.",
    },
    "ledger_accounts_create_account_params": {
        "code": "Name of the account, unique for the tenant, mode and currency.",
    },
    "payment_intents_bank_transfer": {"type": "Kind of bank transfer."},
    "payment_intents_increment_params": {"amount": "New total to authorize, larger than the present one."},
    "payment_intents_line_item": {"tax": "Tax on the item."},
    "payouts_create_params": {
        "destination": "Bank account that gets the money; the default one if it is not given.",
        "method": "Speed of the payout.",
    },
    "refunds_create_below_params": {"amount": "Amount to refund; all that is left by default."},
    "refunds_create_params": {
        "amount": "Amount to refund; all that is left by default.",
        "charge": "Charge to refund, if no payment intent is given.",
        "payment_intent": "Payment intent to refund, if no charge is given.",
    },
    "transfers_create_params": {"destination": "Connected account that gets the money."},
    "transfers_reverse_params": {
        "amount": "Amount to bring back; all that is left by default.",
        "refund_application_fee": "Whether the application fee is refunded in proportion.",
    },
    "webhook_endpoints_create_params": {"url": "Address that events are delivered to."},
    "webhook_endpoints_update_params": {"url": "Address that events are delivered to."},
}

PARAMETERS: Mapping[str, str] = {
    "accepted_at": "When the customer accepted the mandate.",
    "access_activity_log": "Log that shows that the customer used the product.",
    "account_holder_name": "Name of the person or the business that owns the bank account.",
    "account_holder_type": "Whether a person or a company owns the bank account.",
    "account_number": "Number of the bank account, or its IBAN. It is checked, and never stored.",
    "account_type": "Kind of bank account.",
    "address_city": "City of the billing address.",
    "address_country": "Country of the billing address.",
    "address_line1": "First line of the billing address.",
    "address_line2": "Second line of the billing address.",
    "address_state": "State or province of the billing address.",
    "address_zip": "Postal code of the billing address.",
    "after_sequence": "Shows events after this number of the sequence, the oldest first.",
    "allow_redirects": "Whether methods that lead the customer to another page may be used.",
    "allowed_payment_method_types": "Types of payment methods that may be used, and no others.",
    "allow_redisplay": "Whether the payment method may be shown to the customer again.",
    "amount": "Amount in the smallest unit of the currency.",
    "amount_to_capture": "Amount to capture; all that can be captured by default.",
    "api_version": "Version of the API that events are rendered in.",
    "application_fee_amount": "Part of the payment that the platform keeps of a connected account's.",
    "ares_trans_status": "Transaction status of the 3-D Secure authentication response.",
    "arrival_date": "When the payout arrives, in seconds since 1970.",
    "at": "Shows what was so at this time: a number of the sequence, or seconds since 1970.",
    "attach_to_self": "Whether the payment method is set up for the account itself.",
    "balance": "Credit (negative) or debt (positive) of the customer, in the smallest unit.",
    "billing_address": "Billing address that the customer gave.",
    "business_type": "Legal form of the business.",
    "cancellation_policy": "Document with the policy of cancellations.",
    "cancellation_policy_disclosure": "How and when the customer was shown the policy of cancellations.",
    "cancellation_reason": "Why it is canceled.",
    "cancellation_rebuttal": "Why the customer's subscription was not canceled.",
    "capture_method": "Whether an authorized amount is captured at once or by a request of its own.",
    "carrier": "Carrier that delivers the goods.",
    "case_type": "Kind of case at the card network.",
    "cb_avalgo": "Algorithm of Cartes Bancaires that made the cryptogram.",
    "cb_exemption": "Exemption that was asked of Cartes Bancaires.",
    "cb_score": "Risk score of Cartes Bancaires.",
    "charge": "Charge that it belongs to.",
    "city": "City, town or village.",
    "claim_without_transaction_id": "Whether the exemption is claimed without an earlier transaction.",
    "client_secret": "Secret that lets a page of the customer act on this one object.",
    "code": "Name of the account.",
    "confirm": "Whether it is confirmed at once.",
    "confirmation_method": "Whether a page or a server confirms the payment.",
    "confirmation_token": "Confirmation token that holds what the customer has entered.",
    "connect": "Whether events of connected accounts are delivered, too.",
    "country": "Country, by its two letters (ISO 3166-1).",
    "created": "When it was created, in seconds since 1970.",
    "credit_account": "Account that is credited.",
    "cryptogram": "Cryptogram that proves the authentication.",
    "currency": "Currency, by its three letters in lower case (ISO 4217).",
    "customer": "Customer that it belongs to.",
    "customer_account_id": "Customer's account at the shop.",
    "customer_communication": "Document with what was written to and by the customer.",
    "customer_device_fingerprint": "Fingerprint of the customer's device.",
    "customer_device_id": "Identifier of the customer's device.",
    "customer_email_address": "Email address of the customer.",
    "customer_name": "Name of the customer.",
    "customer_purchase_ip": "Address on the network that the customer bought from.",
    "customer_reference": "Reference of the customer for the order.",
    "customer_signature": "Document with the customer's signature.",
    "cvc": "Security code of the card. It is checked, and never stored.",
    "cvc_token": "Token of a security code that the cardholder gave again. It is used once.",
    "debit_account": "Account that is debited.",
    "default_currency": "Currency of the account's payouts.",
    "default_payment_method": "Payment method of the customer's invoices.",
    "default_source": "Card or source that is charged by default.",
    "delivery_success": "Shows only events whose deliveries all succeeded, or that did not.",
    "description": "Text for people. It has no effect.",
    "destination": "Account that gets the money.",
    "disabled": "Whether nothing is delivered to the endpoint.",
    "discount_amount": "Discount in the smallest unit of the currency.",
    "dry_run": "Whether the transfers are only checked, and nothing is moved.",
    "ds_transaction_id": "Identifier that the 3-D Secure directory server gave the transaction.",
    "duplicate_charge_documentation": "Document about the charge that the customer takes for the same.",
    "duplicate_charge_explanation": "Why the two charges are not the same.",
    "duplicate_charge_id": "Charge that the customer takes for the same.",
    "electronic_commerce_indicator": "Indicator (ECI) of how the cardholder was authenticated.",
    "email": "Email address.",
    "enabled": "Whether it is on.",
    "enabled_events": "Types of events that are delivered; `*` stands for all.",
    "ending_before": "Identifier of an object: the page ends before it.",
    "enforce_arithmetic_validation": "Whether amounts that do not add up are refused.",
    "error_on_requires_action": "Whether the payment fails where the customer would have to act.",
    "event": "Event that is delivered again.",
    "excluded_payment_method_types": "Types of payment methods that are not offered.",
    "exemption_indicator": "Exemption from authentication that was asked for.",
    "exp_month": "Month in which the card expires, 1 to 12.",
    "exp_year": "Year in which the card expires.",
    "expand": "Fields whose identifiers are shown as whole objects. They are in `x-expandableFields`.",
    "expires_at": "When it ends by itself, in seconds since 1970.",
    "external_account": "Token of the bank account of a connected account.",
    "fee_acknowledged": "Whether the fee of the network for a compliance case is accepted.",
    "final_capture": "Whether what is not captured is released. If not, more captures may follow.",
    "flow_directions": "Directions in which money is to move later.",
    "footer": "Text at the end of the customer's invoices.",
    "from_postal_code": "Postal code that the goods are sent from.",
    "from_sequence": "First number of the sequence that is delivered again.",
    "fulfillment_date": "When the goods or services are delivered, in seconds since 1970.",
    "funding_type": "How money comes in.",
    "headers": "Headers that each delivery carries. Their values are stored sealed.",
    "hold": "Transfer that reserved the amount, which this one ends.",
    "iban": "International number of the bank account (ISO 13616).",
    "infer_from_client": "Whether address and user agent are those of the request.",
    "instructions_email": "Email address that asks for the bank account of a refund.",
    "invoice_prefix": "Beginning of the numbers of the customer's invoices.",
    "ip_address": "Address on the network that the customer used.",
    "limit": "How many objects a page has, 1 to 100.",
    "line1": "First line of the address.",
    "line2": "Second line of the address.",
    "line_items": "Items that are paid for.",
    "linked": "Whether it is made only together with the next transfer of the batch.",
    "mandate": "Mandate that allows the payment.",
    "mcc": "Merchant category code of the business (ISO 18245).",
    "merchandise_or_services": "Whether goods or services were bought.",
    "merchant_reference": "Reference of the merchant for the order.",
    "metadata": "Up to 50 texts of the client's own, by name. An empty text removes one.",
    "min_balance": "Lowest balance that the account may have, in the smallest unit; null for no bound.",
    "moto": "Whether the card was given by mail or telephone.",
    "name": "Name.",
    "network": "Card network that the payment is to use.",
    "network_transaction_id": "Identifier that the card network gave the first transaction.",
    "next_invoice_sequence": "Number of the customer's next invoice.",
    "normal_side": "Side on which the account grows.",
    "number": "Number of the card. It is never stored or logged.",
    "object": "Kind of object.",
    "note": "How the person who decides knows.",
    "off_session": "Whether the customer is absent.",
    "on_behalf_of": "Connected account that the payment is made for.",
    "order": "Which deliveries wait for earlier ones.",
    "order_reference": "Reference of the order.",
    "origin": "Where the money of a refund without a charge comes from.",
    "overlap_seconds": "For how long the old secret is good beside the new one.",
    "page": "`next_page` of the page before.",
    "payload": "Whether deliveries carry the whole object or only its identifier.",
    "payment_intent": "Payment intent that it belongs to.",
    "payment_method": "Payment method that is used.",
    "payment_method_types": "Types of payment methods that may be used.",
    "payments": "Who is liable for losses of payments.",
    "payer": "Who pays the fees.",
    "payout": "Payout that it belongs to.",
    "phone": "Telephone number.",
    "postal_code": "Postal code.",
    "preferred_locales": "Languages of the customer, the preferred one first.",
    "prior_undisputed_transactions": "Earlier payments of the customer that were not disputed.",
    "processor": "Name of the processor.",
    "product_code": "Code of the product.",
    "product_description": "What was bought.",
    "product_name": "Name of the product.",
    "quantity": "How many there are.",
    "query": "What to look for, in the query language of searches.",
    "reason": "Why it is done.",
    "receipt": "Document with the receipt.",
    "receipt_email": "Email address for a receipt. It is stored, and nothing is sent.",
    "reconciliation_mode": "Whether incoming money is applied to payments by itself.",
    "reference": "Reference of the client.",
    "referrer": "Page that led the customer to the shop.",
    "refund_application_fee": "Whether the application fee is refunded in proportion.",
    "refund_policy": "Document with the policy of refunds.",
    "refund_policy_disclosure": "How and when the customer was shown the policy of refunds.",
    "refund_refusal_explanation": "Why the customer gets no refund.",
    "request_extended_authorization": "Whether the amount is to stay authorized for longer.",
    "request_incremental_authorization": "Whether more is to be authorized later.",
    "request_multicapture": "Whether the amount is to be captured in parts.",
    "request_overcapture": "Whether more than was authorized is to be captured.",
    "request_three_d_secure": "When 3-D Secure is asked for.",
    "requested": "Whether the capability is wanted.",
    "requested_address_types": "Kinds of bank details that the customer is shown.",
    "requestor_challenge_indicator": "Whether a challenge of the cardholder was asked for.",
    "requests_per_second": "How many deliveries are made in a second at most.",
    "require_cvc_recollection": "Whether the security code has to be entered again.",
    "requirement_collection": "Who collects what has to be known of the account.",
    "resolution": "What became of the attempt. What was given back at the processor is `compensated`.",
    "return_url": "Page that the customer comes back to.",
    "reverse_transfer": "Whether the transfer to the connected account is brought back in proportion.",
    "routing_number": "Number of the bank, for accounts in the United States.",
    "sequence": "Shows what was so at this number of the sequence.",
    "service_date": "When the service was given.",
    "service_documentation": "Document that shows that the service was given.",
    "session": "Session of the customer's device.",
    "setup_credential_usage": "How the stored card is to be used later.",
    "setup_future_usage": "Whether the payment method is used again, with or without the customer.",
    "setup_intent": "Setup intent that it belongs to.",
    "shipping_address": "Address that the goods were sent to.",
    "shipping_address_zip": "Postal code that the goods are sent to.",
    "shipping_amount": "Cost of shipping in the smallest unit of the currency.",
    "shipping_carrier": "Carrier that delivered the goods.",
    "shipping_date": "When the goods were sent.",
    "shipping_documentation": "Document that shows that the goods were sent.",
    "shipping_from_zip": "Postal code that the goods are sent from.",
    "shipping_tracking_number": "Number that the goods are tracked by.",
    "single_use": "Amount and currency of a mandate for one payment.",
    "skip_rules": "Rules of the fraud check that do not apply.",
    "source": "Where the money comes from.",
    "source_transaction": "Charge whose money is transferred, once it is available.",
    "source_type": "Kind of balance that the money is taken from.",
    "start_after_sequence": "Number of the sequence after which deliveries begin.",
    "starting_after": "Identifier of an object: the page begins after it.",
    "state": "State, county or province.",
    "statement_descriptor": "Text on the customer's statement.",
    "statement_descriptor_suffix": "End of the text on the customer's statement.",
    "statement_descriptor_suffix_kana": "The same in kana.",
    "statement_descriptor_suffix_kanji": "The same in kanji.",
    "status": "State of the object.",
    "stored_credential_transaction_type": "How a stored card is used in this transaction.",
    "stored_credential_usage": "How a stored card was to be used.",
    "submit": "Whether the evidence is sent to the bank at once. If not, it can be changed.",
    "success": "Shows only attempts that succeeded, or only those that failed.",
    "support_email": "Email address for customers of the business.",
    "support_phone": "Telephone number for customers of the business.",
    "support_url": "Web page for customers of the business.",
    "tax_amount": "Tax in the smallest unit of the currency.",
    "tax_exempt": "Whether the customer pays taxes.",
    "tax_id": "Number of the customer at the tax office.",
    "to_postal_code": "Postal code that the goods are sent to.",
    "to_sequence": "Last number of the sequence that is delivered again.",
    "token": "Token of the card.",
    "total_tax_amount": "Tax in the smallest unit of the currency.",
    "tracking_number": "Number that the goods are tracked by.",
    "transaction_id": "Identifier of the authentication.",
    "transfer_group": "Text that groups charges and transfers.",
    "transfers": "Transfers of the batch, in their order.",
    "type": "Which of several kinds it is.",
    "types": "Types of events. Without it all are meant.",
    "uncategorized_file": "Document of another kind.",
    "uncategorized_text": "Evidence of another kind.",
    "unit_cost": "Price of one in the smallest unit of the currency.",
    "unit_of_measure": "Unit that is counted in.",
    "url": "Address of a web page.",
    "usage": "Whether the payment method is used with or without the customer.",
    "use_stripe_sdk": "Whether a page handles what the customer has to do.",
    "user_agent": "What the customer's browser said that it is.",
    "user_report": "What the account says of the charge.",
    "version": "Version of 3-D Secure.",
}
# The bounds of a range, such as that of `created[gte]`.
BOUNDS: Mapping[str, str] = {
    "gt": "Later than this, in seconds since 1970.",
    "gte": "At this time or later, in seconds since 1970.",
    "lt": "Earlier than this, in seconds since 1970.",
    "lte": "At this time or earlier, in seconds since 1970.",
}


def of_parameter(type_name: str, name: str) -> str | None:
    """Return what a parameter of a type means, None if its own type says it."""
    return PARTICULAR.get(type_name, {}).get(name) or PARAMETERS.get(name)


def of_field(*path: str) -> str | None:
    """Return what a field of an object means. Its path begins with the name of the object's schema."""
    ends = (".".join(path[start:]) for start in range(len(path) - 1))
    particular = next((PARTICULAR_FIELDS[end] for end in ends if end in PARTICULAR_FIELDS), None)
    return particular or FIELDS.get(path[-1]) or PARAMETERS.get(path[-1])


def explained(schema: Schema, *path: str) -> Schema:
    """Return the schema of an object whose fields say what they mean, at any depth. `path` is where it is."""
    found = dict(schema)
    if "properties" in schema:
        found["properties"] = {
            name: _explained_field(inner, *path, name) for name, inner in schema["properties"].items()
        }
    if isinstance(schema.get("items"), dict):
        found["items"] = explained(schema["items"], *path)
    if "anyOf" in schema:
        found["anyOf"] = [explained(part, *path) for part in schema["anyOf"]]
    return found


def _explained_field(schema: Schema, *path: str) -> Schema:
    meaning = of_field(*path)
    if meaning is None:
        return explained(schema, *path)
    # A field of the dialect that fastpay has nothing for.
    always_null = " Always null." if schema == NULL else ""
    return {"description": meaning + always_null} | explained(schema, *path)


def of_query(name: str) -> str | None:
    """Return what a parameter of a query means, such as `limit`, or `created[gte]`."""
    bare = name.removesuffix("[]")
    before, _, bound = bare.removesuffix("]").rpartition("[")
    return BOUNDS[bound] if before and bound in BOUNDS else PARAMETERS.get(bare)
