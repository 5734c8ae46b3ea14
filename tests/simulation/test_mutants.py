"""The list of mutants keeps up with the source, though the mutants themselves are run by hand."""

from tests.simulation.mutants import astray


def test_every_mutant_applies_to_the_source_as_it_is() -> None:
    """One that does not would break off the run of all others, on the day somebody needs them."""
    assert astray() == []
