"""The HTTP API for people and programs around the agents; pages will join it here."""
