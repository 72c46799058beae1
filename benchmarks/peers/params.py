"""What peers accept: the form or JSON of a new payment, refund or transfer, checked by pydantic."""

from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, field_validator

MagicPaymentMethod = Literal["pm_card_visa", "pm_card_mastercard"]
MetadataKey = Annotated[str, Field(min_length=1, max_length=40)]
MetadataValue = Annotated[str, Field(max_length=500)]


class CreatePaymentIntent(BaseModel):
    """A payment to be made at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: Annotated[int, Field(ge=1, le=99_999_999)]
    currency: Annotated[str, Field(pattern="^[a-z]{3}$")]
    payment_method: MagicPaymentMethod
    confirm: bool
    description: Annotated[str, Field(max_length=5_000)] | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50)] = {}

    @field_validator("confirm")
    @classmethod
    def confirms(cls, value: bool) -> bool:
        """Refuse what would not be paid at once."""
        if not value:
            raise ValueError("Only confirmed payments are made here.")
        return value


class CreateCustomersPayment(CreatePaymentIntent):
    """A payment to be made at once, of a customer or of nobody known."""

    customer: Annotated[str, Field(pattern="^cus_[0-9a-f]{32}$")] | None = None


class CreateCustomer(BaseModel):
    """A customer to remember."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: Annotated[str, Field(max_length=512)] | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50)] = {}


class CreateRefund(BaseModel):
    """Money to give back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    payment_intent: Annotated[str, Field(pattern="^pi_[0-9a-f]{32}$")]
    amount: Annotated[int, Field(ge=1)] | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50)] = {}


class CreateTransfer(BaseModel):
    """Money to move between two accounts of the ledger."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    debit_account: Annotated[str, Field(pattern="^lacc_[0-9a-f]{32}$")]
    credit_account: Annotated[str, Field(pattern="^lacc_[0-9a-f]{32}$")]
    amount: Annotated[int, Field(ge=1, le=99_999_999)]
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50)] = {}


_Params = TypeVar(
    "_Params", CreatePaymentIntent, CreateCustomersPayment, CreateCustomer, CreateRefund, CreateTransfer
)


def parse(model: type[_Params], content_type: str, body: bytes) -> _Params:
    """Return the checked parameters. Raises: pydantic.ValidationError, ValueError for the wrong type."""
    if content_type.startswith("application/json"):
        return model.model_validate_json(body)
    if content_type.startswith("application/x-www-form-urlencoded"):
        return model.model_validate(_nest(body))
    raise ValueError("Send a form or JSON.")


def _nest(body: bytes) -> dict[str, Any]:
    """Return the fields of a form, `name[key]` as dicts."""
    fields: dict[str, Any] = {}
    for name, value in parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True):
        outer, bracket, inner = name.partition("[")
        if bracket:
            fields.setdefault(outer, {})[inner.removesuffix("]")] = value
        else:
            fields[outer] = value
    return fields
