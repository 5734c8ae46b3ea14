"""Numbers with their noun, so that one mail is not "1 mails"."""


def some(count: int, one: str, many: str = "") -> str:
    """`many` left out: the noun with an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"
