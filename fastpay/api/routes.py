"""What a route is: a method on a path, the endpoint that answers it, and the endpoint's policy."""

from typing import Literal, NamedTuple, Protocol

from fastpay.api.context import Call, Reply


class Policy(NamedTuple):
    """What the pipeline does around an endpoint.

    | field         | meaning                                                                            |
    |---------------|------------------------------------------------------------------------------------|
    | `is_public`   | publishable keys may call it; the endpoint checks what else protects the object    |
    | `deadline`    | whether `read_timeout_ms` bounds the answer: "always", only "with query", or not,  |
    |               | since the endpoint has its "own"                                                   |
    | `is_counted`  | it counts in the tenant's requests in progress; False if it has limits of its own  |
    | `body_factor` | how many times `body_bytes_max` a body may have                                    |
    """

    is_public: bool = False
    deadline: Literal["always", "with query", "own"] = "always"
    is_counted: bool = True
    body_factor: int = 1


class Endpoint(Protocol):
    """What answers a method on a path."""

    @property
    def policy(self) -> Policy:
        """What the pipeline does around it."""

    async def answer(self, call: Call) -> Reply:
        """Answer. Raises: FastpayError."""


class Route(NamedTuple):
    """A method on a path, and what answers it."""

    method: str
    path: str
    endpoint: Endpoint
