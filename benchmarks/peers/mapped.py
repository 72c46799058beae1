"""The Flask peer's mapped classes. The columns are the database's, which fastpay's migrations made."""

from sqlalchemy.ext.declarative import DeferredReflection
from sqlalchemy.orm import DeclarativeBase


class Base(DeferredReflection, DeclarativeBase):
    """What is mapped; the columns are the database's."""


class ApiKey(Base):
    """A key of a tenant."""

    __tablename__ = "api_key"


class Book(Base):
    """A tenant's sequence and fees."""

    __tablename__ = "book"


class Account(Base):
    """A balance holder of the ledger."""

    __tablename__ = "account"


class IdempotencyKey(Base):
    """A key that was used, and the answer."""

    __tablename__ = "idempotency"


class StoredCustomer(Base):
    """A customer."""

    __tablename__ = "customer"


class PaymentMethod(Base):
    """A card."""

    __tablename__ = "payment_method"


class PaymentIntent(Base):
    """A payment."""

    __tablename__ = "payment_intent"


class Charge(Base):
    """An attempt at a payment."""

    __tablename__ = "charge"


class StoredRefund(Base):
    """Money that went back."""

    __tablename__ = "refund"


class ObjectVersion(Base):
    """A snapshot of an object."""

    __tablename__ = "object_version"


class Transfer(Base):
    """A move between two accounts."""

    __tablename__ = "transfer"


class Event(Base):
    """Something that happened."""

    __tablename__ = "event"
