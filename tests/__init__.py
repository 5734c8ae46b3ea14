"""The tests; a package, so that `from tests.virtual import run_virtual` works from every folder."""
