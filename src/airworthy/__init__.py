"""airworthy: the production layer for AI agents."""
