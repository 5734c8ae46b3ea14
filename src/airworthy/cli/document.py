"""A Markdown document for a terminal, or into a file."""

from pathlib import Path

from airworthy.core.errors import InputError

TEXT_COLUMNS = 100


def as_text(markdown: str) -> str:
    """Laid out for reading, without markup, colour or links."""
    from rich.console import Console
    from rich.markdown import Markdown

    paper = Console(width=TEXT_COLUMNS, color_system=None, force_terminal=False, markup=False, emoji=False)
    with paper.capture() as captured:
        paper.print(Markdown(markdown, hyperlinks=False))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def save(path: Path, text: str) -> None:
    """Raises: InputError when the file cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}.", mend="Choose another --output."
        ) from error
