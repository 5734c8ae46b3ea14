"""A document as one HTML page that asks nothing of any server; no text in it can become markup."""

import base64
import hashlib
from html import escape
from typing import Final, assert_never

from airworthy.policy.document import (
    Block,
    Bullets,
    Code,
    Document,
    Facts,
    Heading,
    Line,
    Paragraph,
    Part,
    Strong,
    plain,
)

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2329; --quiet: #59636e; --rule: #d9dde2 }
:root { --paper: #fff; --wash: #f4f5f7 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --quiet: #9aa4af; --rule: #363d45; --paper: #15181c; --wash: #20252b }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.6 Charter, Georgia, serif }
main { max-width: 42rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; overflow-wrap: anywhere }
h1, h2, h3, dt { font-family: system-ui, sans-serif; line-height: 1.25 }
h1 { font-size: 1.75rem; margin: 0 0 1rem }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--rule) }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }
p, ul { margin: .5rem 0 }
ul { padding-left: 1.25rem }
li { margin: .25rem 0 }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .35rem 1.25rem }
dl { margin: 1rem 0 }
dt { color: var(--quiet); font-size: .9rem; padding-top: .15rem }
dd { margin: 0 }
code { font: .875em ui-monospace, Menlo, Consolas, monospace; background: var(--wash) }
code { padding: .1em .3em; border-radius: 3px }
h1 code, h3 code { font-size: 1em; background: none; padding: 0 }
@media (max-width: 32rem) { dl { display: block } dd { margin: 0 0 .6rem } main { padding-top: 1.5rem } }
@media print {
  :root { color-scheme: light; --ink: #000; --quiet: #444; --rule: #bbb; --paper: #fff; --wash: #fff }
  body { font-size: 11pt }
  main { max-width: none; padding: 0 }
  h2, h3 { break-after: avoid }
  li, dl { break-inside: avoid }
}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Only the style above, by its hash: even markup that slipped through could load, run or send nothing.
_CSP = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"


def render_html(document: Document) -> str:
    title = escape(plain(f"Scope of the agent {document.agent}"))
    body = "\n".join(_block(block) for block in document.blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_CSP)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Heading(level, line):
            return f"<h{level}>{_line(line)}</h{level}>"
        case Paragraph(line):
            return f"<p>{_line(line)}</p>"
        case Bullets(lines):
            return "<ul>\n" + "\n".join(f"<li>{_line(line)}</li>" for line in lines) + "\n</ul>"
        case Facts(rows):
            pairs = (f"<dt>{escape(plain(label))}</dt><dd>{_line(line)}</dd>" for label, line in rows)
            return "<dl>\n" + "\n".join(pairs) + "\n</dl>"
        case _:
            assert_never(block)


def _line(line: Line) -> str:
    return "".join(_part(part) for part in line).strip()


def _part(part: Part) -> str:
    match part:
        case Strong(text):
            return f"<strong>{escape(plain(text))}</strong>"
        case Code(text):
            return f"<code>{escape(plain(text))}</code>"
        case str(text):
            return escape(plain(text))
        case _:
            assert_never(part)
