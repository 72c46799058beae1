"""Files in which processors say what they have paid out: CSV with a declared mapping, and camt.053."""
