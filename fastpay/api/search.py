"""The dialect's search language: a query to an SQL/JSON path predicate.

    query    = clause *( ["AND"] clause ) / clause *( "OR" clause )
    clause   = ["-"] field operator value
    field    = "created" / "email" / "name" / "phone" / 'metadata["key"]'
    operator = ":" / "~" / ">" / "<" / ">=" / "<="
    value    = text in single or double quotes, a backslash escaping / digits / "null"

The predicate is about a document `{"created", "email", "name", "phone", "metadata"}`. Texts match whatever
the case of their letters. A part of a text (`~`) is a `like_regex` with flag "q", under which no character
means anything; that flag knows no whole text, so that for one (`:`) every ASCII sign is escaped instead, and
nothing but the two anchors means anything. Each clause asks whether something exists, so that its negation is
true of what is not there at all.

Source: the dialect's documentation of search; PostgreSQL 9.16.2 and 9.16.2.4.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from typing import NoReturn

import msgspec

from fastpay import limits
from fastpay.domain.identifiers import digits
from fastpay.errors import InvalidRequest

_TEXT_FIELDS = frozenset(("email", "name", "phone"))
_FIELD = re.compile(r"[a-z_]+")
_OPERATOR = re.compile(r"[<>]=?|[:~]")
_NUMBER = re.compile(r"[0-9]{1,15}(?![0-9A-Za-z_.])")
_NULL = re.compile(r"null(?![0-9A-Za-z_.])")
_WORD = re.compile(r"(?:and|or)(?![0-9A-Za-z_\[:~<>=])", re.IGNORECASE)
_SIGN = re.compile(r"([!-/:-@\[-`{-~])")
_ESCAPABLE = frozenset("\\\"'")

_TOKEN_BYTES = 16
_TOKEN_DIGEST_BYTES = 8


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """One condition. `key` is set for a field of metadata; `value` None asks for what is not there."""

    field: str
    key: str | None = None
    operator: str
    value: str | int | None
    negated: bool = False


class Query(msgspec.Struct, frozen=True):
    """Conditions of which all must hold, or any."""

    clauses: tuple[Clause, ...]
    is_any: bool = False


def parse(text: str) -> Query:
    """Return what a query means. Raises: InvalidRequest with `param` query."""
    return _Parser(text).query()


def predicate(query: Query) -> str:
    """Return the query as an SQL/JSON path predicate."""
    return (" || " if query.is_any else " && ").join(f"({_condition(clause)})" for clause in query.clauses)


def page_token(identifier: str, query: str, key: bytes) -> str:
    """Return what stands for the page after this object in the results of this query."""
    place = bytes.fromhex(digits(identifier))
    return base64.urlsafe_b64encode(place + _token_digest(place, query, key)).decode()


def parse_page_token(token: str, query: str, key: bytes) -> str:
    """Return the digits that a token stands for. Raises: InvalidRequest for one not given for this query."""
    if len(token) <= limits.search_token_chars_max and token.isascii():
        try:
            content = base64.b64decode(token, altchars=b"-_", validate=True)
        except binascii.Error:
            content = b""
        place = content[:_TOKEN_BYTES]
        if hmac.compare_digest(content[_TOKEN_BYTES:], _token_digest(place, query, key)):
            return place.hex()
    raise InvalidRequest("The page is none that a search with this query has given out.", param="page")


class _Parser:
    """Reads a query from left to right, once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0

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
                self._refuse("AND and OR cannot stand in the same query")
        return Query(tuple(clauses), words == {"OR"})

    def _skip_spaces(self) -> bool:
        """Go on to the next thing; False at the end. Between two clauses a space must stand."""
        start = self._place
        while self._place < len(self._text) and self._text[self._place] in " \t\r\n":
            self._place += 1
        if self._place == len(self._text):
            return False
        if start and self._place == start:
            self._refuse("A space is missing between two clauses")
        return True

    def _word(self) -> str:
        """Read what joins two clauses."""
        word = self._take(_WORD)
        if word is None:
            return "AND"
        if not self._skip_spaces():
            self._refuse(f"Nothing stands behind {word.upper()}")
        return word.upper()

    def _clause(self) -> Clause:
        negated = self._text.startswith("-", self._place)
        self._place += negated
        field = self._take(_FIELD)
        if field is None:
            self._refuse("The name of a field is missing")
        key = None
        if field == "metadata":
            key = self._key()
        elif field != "created" and field not in _TEXT_FIELDS:
            self._refuse("The field is none that customers are searched by")
        operator = self._take(_OPERATOR)
        if operator is None:
            self._refuse("An operator is missing: one of : ~ > < >= <=")
        if (operator not in {":", "~"}) if field != "created" else operator == "~":
            self._refuse(f"The field {field} does not take the operator {operator}")
        value = self._value(field, operator)
        return Clause(field=field, key=key, operator=operator, value=value, negated=negated)

    def _key(self) -> str:
        self._expect("[")
        key = self._quoted()
        self._expect("]")
        return key

    def _value(self, field: str, operator: str) -> str | int | None:
        if field == "created":
            number = self._take(_NUMBER)
            if number is None:
                self._refuse("The field created takes a whole number of seconds")
            return int(number)
        if field == "metadata" and operator == ":" and self._take(_NULL) is not None:
            return None
        return self._quoted()

    def _quoted(self) -> str:
        """Read a text in quotes."""
        quote = self._text[self._place : self._place + 1]
        if quote not in {'"', "'"}:
            self._refuse("A text in quotes is missing")
        self._place += 1
        characters: list[str] = []
        while self._place < len(self._text):
            character = self._text[self._place]
            self._place += 1
            if character == quote:
                if not characters:
                    self._refuse("The text is empty")
                return "".join(characters)
            if character == "\\" and self._text[self._place : self._place + 1] in _ESCAPABLE:
                character = self._text[self._place]
                self._place += 1
            characters.append(character)
        return self._refuse("A text has no closing quote")

    def _expect(self, sign: str) -> None:
        if not self._text.startswith(sign, self._place):
            self._refuse(f"A {sign} is missing")
        self._place += 1

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._text, self._place)
        if found is None:
            return None
        self._place = found.end()
        return found[0]

    def _refuse(self, what: str) -> NoReturn:
        # The query itself is not shown: it holds what is known of somebody.
        raise InvalidRequest(f"{what} (at character {self._place + 1} of the query).", param="query")


def _condition(clause: Clause) -> str:
    path = f"$.{_literal(clause.field)}"
    if clause.key is not None:
        path += f".{_literal(clause.key)}"
    negated = clause.negated
    match clause.value:
        case None:
            # What is asked for is that nothing is there.
            condition, negated = f"exists({path})", not negated
        case int():
            operator = "==" if clause.operator == ":" else clause.operator
            condition = f"exists({path} ? (@ {operator} {clause.value}))"
        case str() if clause.operator == "~":
            condition = f'exists({path} ? (@ like_regex {_literal(clause.value)} flag "qi"))'
        case str():
            pattern = "^" + _SIGN.sub(r"\\\1", clause.value) + "$"
            condition = f'exists({path} ? (@ like_regex {_literal(pattern)} flag "i"))'
    return f"!({condition})" if negated else condition


def _literal(text: str) -> str:
    """Return a text as a string of SQL/JSON path, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _token_digest(place: bytes, query: str, key: bytes) -> bytes:
    digest = hashlib.blake2b(place, key=key[:64], digest_size=_TOKEN_DIGEST_BYTES, person=b"search")
    digest.update(query.encode())
    return digest.digest()
