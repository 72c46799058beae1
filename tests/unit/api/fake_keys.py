"""API keys in memory, some of which sign."""

from fastpay._native.signature import Signer
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Credentials

MUST_SIGN = "sk_test_cccccccccccccccc"
CAN_SIGN = "sk_test_dddddddddddddddd"
CANNOT_SIGN = "sk_test_eeeeeeeeeeeeeeee"
SIGNING_SECRET = b"fpss_of the tests"
OLD_SIGNING_SECRET = b"fpss_of the tests, before"


class FakeKeys:
    """Two tenants, one of them with all the kinds of key, and three whose keys sign."""

    def __init__(self) -> None:
        self._known: dict[str, Credentials | None] = {}

    async def authenticate(self, key: str, *, client: str | None = None) -> Credentials | None:
        assert key.isascii(), "what cannot be a key must not be looked for"
        assert key[:3] in {"sk_", "pk_"}
        self._known[key] = found = self._find(key)
        return found

    def known(self, key: str) -> Credentials | None:
        return self._known.get(key)

    def _find(self, key: str) -> Credentials | None:
        match key:
            case "sk_test_aaaaaaaaaaaaaaaa":
                return Credentials(scope=Scope("a", False), kind="secret", fingerprint_key=b"a" * 32)
            case "pk_test_aaaaaaaaaaaaaaaa":
                return Credentials(scope=Scope("a", False), kind="publishable", fingerprint_key=b"a" * 32)
            case "sk_live_aaaaaaaaaaaaaaaa":
                return Credentials(scope=Scope("a", True), kind="secret", fingerprint_key=b"a" * 32)
            case "sk_test_bbbbbbbbbbbbbbbb":
                return Credentials(scope=Scope("b", False), kind="secret", fingerprint_key=b"b" * 32)
            case "sk_test_cccccccccccccccc" | "sk_test_dddddddddddddddd" | "sk_test_eeeeeeeeeeeeeeee":
                signers = (Signer(SIGNING_SECRET), Signer(OLD_SIGNING_SECRET))
                return Credentials(
                    scope=Scope(key[-1], False),
                    kind="secret",
                    fingerprint_key=b"c" * 32,
                    signers=() if key == CANNOT_SIGN else signers,
                    must_sign=key != CAN_SIGN,
                )
        return None

    def believed_until_ns(self, key: str) -> int:
        """Believe nothing for any longer."""
        return 0
