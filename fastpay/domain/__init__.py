"""The rules of money, pure: no await, no clock, no I/O, no float."""
