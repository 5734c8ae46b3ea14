"""The call policies, in virtual time."""
