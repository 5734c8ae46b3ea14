"""The demo's agent, broken in eight ways that real teams break theirs, to prove that a preflight finds each."""

from airworthy.demo.variants.variant import Change, Variant, VariantOutdated, variant, variants

__all__ = ["Change", "Variant", "VariantOutdated", "variant", "variants"]
