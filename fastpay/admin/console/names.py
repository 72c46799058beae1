"""What operators can be called. The audit trail knows people by their names."""

from fastpay import limits

# Who is noted when it was not an operator.
COMMAND_LINE = "command line"


def name_problem(name: str) -> str:
    """Return why nobody can be called this, empty if somebody can."""
    if not 1 <= len(name) <= limits.operator_name_chars_max or not name.isprintable() or name != name.strip():
        return f"a name has 1 to {limits.operator_name_chars_max} characters that can be seen"
    return "this name is reserved" if name.casefold() == COMMAND_LINE else ""
