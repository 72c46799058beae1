"""The dialect's search language: parses a text to a query.

    query    = clause *( ["AND"] clause ) / clause *( "OR" clause )
    clause   = ["-"] field operator value
    field    = one of the kind's (`domain/search.py`), or 'metadata["key"]'
    operator = ":" / "~" / ">" / "<" / ">=" / "<="
    value    = text in single or double quotes, a backslash escaping / digits / "true" / "false" / "null"

`:` is equality, `~` finds a part of at least three characters, and null is for a missing value. A number may
have quotes. Case does not matter in words; AND and OR do not mix.

Source: the dialect's documentation of search.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import NoReturn

from fastpay import limits
from fastpay.domain.identifiers import digits
from fastpay.domain.kinds import Kind
from fastpay.domain.search import FIELDS, Clause, Field, Query, Value, fold
from fastpay.domain.search_terms import PART_CHARS
from fastpay.errors import InvalidRequest

_FIELD = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z0-9_]+)*")
_OPERATOR = re.compile(r"[<>]=?|[:~]")
_END = r"(?![0-9A-Za-z_.])"
_DIGITS = re.compile(r"[0-9]+" + _END)
_NUMBER = re.compile(r"[0-9]{1,15}")
_NULL = re.compile(r"null" + _END, re.IGNORECASE)
_TRUTH = re.compile(r"(?:true|false)" + _END, re.IGNORECASE)
_WORD = re.compile(r"(?:and|or)(?![0-9A-Za-z_\[:~<>=.])", re.IGNORECASE)
_ESCAPABLE = frozenset("\\\"'")

_TOKEN_BYTES = 16
_TOKEN_DIGEST_BYTES = 8


def parse(text: str, kind: Kind) -> Query:
    """Parse a query on objects of this kind. Raises: InvalidRequest with `param` query."""
    return _Parser(text, kind).query()


def page_token(identifier: str, query: str, key: bytes) -> str:
    """Return the token of the page after this object in the results of this query."""
    key_bytes = bytes.fromhex(digits(identifier))
    return base64.urlsafe_b64encode(key_bytes + _token_digest(key_bytes, query, key)).decode()


def parse_page_token(token: str, query: str, key: bytes) -> str:
    """Return the digits in a page token. Raises: InvalidRequest for a token of another query."""
    if len(token) <= limits.search_token_chars_max and token.isascii():
        try:
            content = base64.b64decode(token, altchars=b"-_", validate=True)
        except binascii.Error:
            content = b""
        position = content[:_TOKEN_BYTES]
        if hmac.compare_digest(content[_TOKEN_BYTES:], _token_digest(position, query, key)):
            return position.hex()
    raise InvalidRequest("The page is not one that a search with this query returned.", param="page")


class _Parser:
    """Reads a query from left to right, once."""

    def __init__(self, text: str, kind: Kind) -> None:
        self._text = text
        self._kind = kind
        self._position = 0

    def query(self) -> Query:
        if len(self._text) > limits.search_query_chars_max:
            self._refuse(f"The query is longer than {limits.search_query_chars_max} characters")
        clauses: list[Clause] = []
        words: set[str] = set()
        self._skip_spaces()
        while True:
            if len(clauses) == limits.search_clauses_max:
                self._refuse(f"The query has more than {limits.search_clauses_max} clauses")
            clauses.append(self._clause())
            if not self._skip_spaces():
                break
            words.add(self._word())
            if len(words) > 1:
                self._refuse("AND and OR cannot be in the same query")
        return Query(kind=self._kind.prefix, clauses=tuple(clauses), is_any=words == {"OR"})

    def _skip_spaces(self) -> bool:
        """Skip spaces, of which there must be one between clauses. Return False at the end of the text."""
        start = self._position
        while self._position < len(self._text) and self._text[self._position] in " \t\r\n":
            self._position += 1
        if self._position == len(self._text):
            return False
        if start and self._position == start:
            self._refuse("A space is missing between two clauses")
        return True

    def _word(self) -> str:
        """Read AND or OR. Nothing counts as AND."""
        word = self._take(_WORD)
        if word is None:
            return "AND"
        if not self._skip_spaces():
            self._refuse(f"Nothing follows {word.upper()}")
        return word.upper()

    def _clause(self) -> Clause:
        negated = self._text.startswith("-", self._position)
        self._position += negated
        start = self._position
        name = self._take(_FIELD)
        if name is None:
            self._refuse("The name of a field is missing")
        fields = FIELDS[self._kind.prefix]
        field = fields.get(name)
        if field is None:
            nouns = f"{self._kind.noun.replace('_', ' ').capitalize()}s"
            self._refuse(f"{nouns} are searched by {', '.join(fields)}, and nothing else", start)
        key = self._key() if name == "metadata" else None
        start = self._position
        operator = self._take(_OPERATOR)
        if operator is None:
            self._refuse("An operator is missing: one of : ~ > < >= <=")
        if operator not in _operators(field, key):
            self._refuse(f"The field {name} does not take the operator {operator}", start)
        value = self._value(name, field, operator)
        return Clause(field=name, key=key, operator=operator, value=value, negated=negated)

    def _key(self) -> str:
        self._expect("[")
        key = self._quoted()
        self._expect("]")
        return key

    def _value(self, name: str, field: Field, operator: str) -> Value:
        start = self._position
        if operator == ":" and self._take(_NULL) is not None:
            if not field.optional:
                self._refuse(f"The field {name} is never null", start)
            return None
        bare = self._take(_TRUTH if field.type == "truth" else _DIGITS) if field.type != "text" else None
        text = self._quoted() if bare is None else bare
        return _VALUES[field.type](self, name, operator, text, start)

    def number(self, name: str, operator: str, text: str, start: int) -> Value:
        """Return a number."""
        if _NUMBER.fullmatch(text) is None:
            self._refuse(f"The field {name} takes a whole number of up to 15 digits", start)
        return int(text)

    def truth(self, name: str, operator: str, text: str, start: int) -> Value:
        """Return true or false, as a text."""
        if fold(text) not in {"true", "false"}:
            self._refuse(f"The field {name} takes true or false", start)
        return fold(text)

    def text(self, name: str, operator: str, text: str, start: int) -> Value:
        """Return a text. For `~` it must be long enough."""
        if operator == "~" and len(fold(text)) < PART_CHARS:
            self._refuse(f"The operator ~ takes {PART_CHARS} characters or more", start)
        return text

    def _quoted(self) -> str:
        """Read a text in quotes."""
        quote = self._text[self._position : self._position + 1]
        if quote not in {'"', "'"}:
            self._refuse("A text in quotes is missing")
        self._position += 1
        characters: list[str] = []
        while self._position < len(self._text):
            character = self._text[self._position]
            self._position += 1
            if character == quote:
                if not characters:
                    self._refuse("The text is empty")
                return "".join(characters)
            if character == "\\" and self._text[self._position : self._position + 1] in _ESCAPABLE:
                character = self._text[self._position]
                self._position += 1
            characters.append(character)
        return self._refuse("A text has no closing quote")

    def _expect(self, sign: str) -> None:
        if not self._text.startswith(sign, self._position):
            self._refuse(f"A {sign} is missing")
        self._position += 1

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._text, self._position)
        if found is None:
            return None
        self._position = found.end()
        return found[0]

    def _refuse(self, what: str, position: int | None = None) -> NoReturn:
        # The query is not shown: it may contain personal data.
        where = (self._position if position is None else position) + 1
        raise InvalidRequest(f"{what} (at character {where} of the query).", param="query")


_VALUES: dict[str, Callable[[_Parser, str, str, str, int], Value]] = {
    "number": _Parser.number,
    "truth": _Parser.truth,
    "token": _Parser.text,
    "text": _Parser.text,
}
_NUMERIC = frozenset((":", ">", "<", ">=", "<="))
_PARTIAL = frozenset((":", "~"))
_EXACT = frozenset((":",))


def _operators(field: Field, key: str | None) -> frozenset[str]:
    if field.type == "number":
        return _NUMERIC
    return _PARTIAL if field.type == "text" or key is not None else _EXACT


def _token_digest(position: bytes, query: str, key: bytes) -> bytes:
    digest = hashlib.blake2b(position, key=key[:64], digest_size=_TOKEN_DIGEST_BYTES, person=b"search")
    digest.update(query.encode())
    return digest.digest()
