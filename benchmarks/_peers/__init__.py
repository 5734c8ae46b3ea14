"""Other people's packages, each run by the Python of its own environment; nothing here imports airworthy."""
