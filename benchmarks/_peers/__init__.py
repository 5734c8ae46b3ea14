"""Other people's durable engines, each run by the Python of its own environment; nothing here imports airworthy."""
