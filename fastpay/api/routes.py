"""What a route is: a method on a path, the endpoint that answers it, and the endpoint's policy."""

from typing import Literal, NamedTuple, Protocol

from fastpay.api.common_params import Params
from fastpay.api.context import Call, Reply
from fastpay.api.resource import Resource


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

    def is_timed(self, query: bytes) -> bool:
        """Tell whether `read_timeout_ms` bounds the answer to a request with this query."""
        return self.deadline == "always" or (self.deadline == "with query" and query != b"")


class Contract(NamedTuple):
    """What a client sends to an endpoint, and what it gets: the source of the API's description.

    | field         | meaning                                                                            |
    |---------------|------------------------------------------------------------------------------------|
    | `params`      | the parameters, in the query or the body                                           |
    | `shows`       | the resource, or a TypedDict of what is encoded                                    |
    | `answer`      | whether the answer is one such object, or a page of them                           |
    | `summary`     | what the endpoint does, where its method and path do not say it                    |
    | `numbers`     | integers that a page may have in addition                                          |
    | `media_types` | what else a client can ask for with an Accept header                               |
    """

    params: type[Params]
    shows: Resource | type
    answer: Literal["object", "list", "search_result"] = "object"
    summary: str = ""
    numbers: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()


class Endpoint(Protocol):
    """What answers a method on a path."""

    @property
    def policy(self) -> Policy:
        """What the pipeline does around it."""

    @property
    def contract(self) -> Contract:
        """What a client sends, and what it gets."""

    async def answer(self, call: Call) -> Reply:
        """Answer. Raises: FastpayError."""


class Route(NamedTuple):
    """A method on a path, and what answers it."""

    method: str
    path: str
    endpoint: Endpoint
