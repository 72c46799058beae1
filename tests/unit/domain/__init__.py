"""Tests of the domain, which need nothing but itself."""
