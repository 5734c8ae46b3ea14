"""The one page that end users see: three fields for what they say of a task. Values to HTML; every text is escaped."""

import base64
import hashlib
from html import escape
from typing import Final

_STYLE: Final = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:1.5rem;color:#1b1b1f;"
    "background:#fff}fieldset{border:0;padding:0;margin:0 0 1rem}legend,label{font-weight:600}"
    "textarea{width:100%;box-sizing:border-box;min-height:5rem;font:inherit;padding:.5rem;border:1px solid #767680;"
    "border-radius:6px}.choice{display:inline-block;margin-right:1.5rem;font-weight:400}button{font:inherit;"
    "padding:.6rem 1.4rem;border:0;border-radius:6px;background:#1f4fd8;color:#fff}"
    "@media(prefers-color-scheme:dark){body{background:#16161a;color:#eee}textarea{background:#222;color:#eee}}"
)


def style_hash() -> str:
    """For the content-security policy: this style and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def form(action: str, thumb: str | None, chars_max: int) -> str:
    """`thumb`: chosen beforehand by the link that was followed; nothing is kept before it is sent."""
    up, down = (" checked" if thumb == word else "" for word in ("up", "down"))
    return _page(
        "How did we do?",
        f'<form method="post" action="{escape(action)}">'
        "<fieldset><legend>Did this help you?</legend>"
        f'<label class="choice"><input type="radio" name="thumb" value="up"{up}> Yes</label>'
        f'<label class="choice"><input type="radio" name="thumb" value="down"{down}> No</label></fieldset>'
        '<p><label for="correction">What should the answer have been?</label>'
        f'<textarea id="correction" name="correction" maxlength="{chars_max}"></textarea></p>'
        '<p><label for="text">Anything else?</label>'
        f'<textarea id="text" name="text" maxlength="{chars_max}"></textarea></p>'
        "<button>Send</button></form>",
    )


def said(text: str) -> str:
    """A page with one sentence."""
    return _page("Feedback", f"<p>{escape(text)}</p>")


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
