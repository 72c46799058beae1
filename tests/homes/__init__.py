"""Instances that help each other: who is the home of a tenant, and what happens when it is not there."""
