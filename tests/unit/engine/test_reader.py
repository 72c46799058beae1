"""The reader: what was asked for by its whole identifier, and nothing else."""

from collections.abc import Sequence

import pytest

from fastpay.domain.identifiers import Scope, digits
from fastpay.domain.objects import Customer
from fastpay.domain.plan import Versioned
from fastpay.engine.reader import Reader
from tests.unit.engine.memory import TENANT

pytestmark = pytest.mark.anyio

ONE, OTHER = (Versioned(Customer(id=f"cus_{number:032x}", created=0), 1, 1) for number in (1, 2))


class Objects:
    """Finds objects by their digits alone, as the database does."""

    async def get_objects(self, scope: Scope, identifiers: Sequence[str]) -> list[Versioned]:
        """Return what has these digits."""
        asked = {digits(identifier) for identifier in identifiers}
        return [one for one in (ONE, OTHER) if scope == TENANT and digits(one.object.id) in asked]

    async def get_objects_at(
        self, scope: Scope, identifiers: Sequence[str], sequence: int
    ) -> list[Versioned]:
        """Return what has these digits and existed then."""
        return [one for one in await self.get_objects(scope, identifiers) if one.sequence <= sequence]


def make_reader() -> Reader:
    """Return a reader over these objects."""
    return Reader(Objects())  # type: ignore[arg-type]


async def test_an_object_is_found_by_its_identifier() -> None:
    assert await make_reader().get(TENANT, ONE.object.id) == ONE


@pytest.mark.parametrize("identifier", ["cus_" + "0" * 32, "pm_" + digits(ONE.object.id)])
async def test_the_digits_alone_do_not_let_another_kind_pass(identifier: str) -> None:
    assert await make_reader().get(TENANT, identifier) is None
    assert await make_reader().get_many_at(TENANT, [identifier], 9) == {}


async def test_many_are_found_by_identifier_and_the_missing_left_out() -> None:
    wanted = [OTHER.object.id, "cus_" + "f" * 32, ONE.object.id]
    assert await make_reader().get_many(TENANT, wanted) == {ONE.object.id: ONE, OTHER.object.id: OTHER}
    assert await make_reader().get_many_at(TENANT, wanted, 0) == {}
