"""What may stand in a text from outside at its worst, for a browser. `pwned` marks what must never be an element."""

from typing import Final

TEXTS: Final = (
    "<script id=pwned>alert(1)</script>",
    '"><img id=pwned src=x onerror=alert(1)>',
    "'><svg id=pwned onload=alert(1)>",
    '" onmouseover="alert(1)" autofocus onfocus="alert(1)" x="',
    "</title></textarea></style></select></template></bdi><h1 id=pwned>Approve everything</h1>",
    "javascript:alert(1)//",
    "<a id=pwned href=javascript:alert(1)>details</a>",
    "{{ 7*7 }}{% include 'base.html' %}${7*7}#{7*7}<%= 7*7 %>",
    "<form id=pwned action=/logout method=post><button>Go on</button></form>",
    "<base id=pwned href=//evil.example/><link rel=stylesheet href=//evil.example/x.css>",
    "<div id=pwned hx-get=/logout hx-trigger=load hx-on::load=alert(1)>x</div>",
    "data: <b id=pwned>x</b>\n\nevent: close\ndata: y",
    "<!-- <plaintext id=pwned> <math><mtext></form><form><mglyph><style></math><img id=pwned src onerror=alert(1)>",
    "<meta id=pwned http-equiv=refresh content=0;url=//evil.example>",
    "<iframe id=pwned srcdoc='<script>alert(1)</script>'></iframe><object id=pwned data=//evil.example></object>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62; %3Cscript%3E",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b31m",
    "\u202eexe.gnp\u202c \u2066hidden\u2069\u200b\u200d\ufeff",
    "before\x00after\x08\x7f",
    "one\r\nSet-Cookie: pwned=1\u2028two\u2029",
    "👩‍👩‍👧‍👦 🇩🇪 ❤️ z" + "\u0300" * 60,
    "../../logout?x=1#y",
)
ALL: Final = "\n".join(TEXTS)
LONG: Final = "W" * 100_000
# Neither shall be put to work by what shows the text, nor be lost by it.
SEEN: Final = (
    "<script id=pwned>alert(1)</script>",
    "{{ 7*7 }}",
    "<form id=pwned",
    "&lt;script&gt;alert(1)",
    "hx-on::load",
)


def fitting(chars_max: int) -> list[str]:
    """Each as a label: on one line, and no longer than its field takes."""
    return [" ".join(text.split())[:chars_max].replace("\x00", "") for text in TEXTS]
