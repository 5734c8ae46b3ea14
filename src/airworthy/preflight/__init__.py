"""Proves an agent's readiness: golden, adversarial, tool-failure, context, concurrency and load; one verdict."""
