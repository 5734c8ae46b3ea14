"""A small shop, its customers and their letters: a world in which an agent can be watched at work."""
