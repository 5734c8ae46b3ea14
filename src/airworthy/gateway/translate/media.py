"""Images and PDFs between the forms they travel in: data URLs, URLs, and base64 beside its media type."""

import re
from collections.abc import Mapping

from airworthy.gateway.translate.conversation import File, Image
from airworthy.gateway.translate.findings import Findings
from airworthy.gateway.translate.shape import text

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.ASCII)
PDF = "application/pdf"
IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})  # What Anthropic takes.


def image_from_url(url: str, detail: str, where: str, findings: Findings) -> Image | None:
    """An OpenAI image: its URL may hold the picture itself."""
    if url.startswith(("http://", "https://")):
        return Image(url=url, detail=detail)
    if match := _DATA_URL.match(url):
        return Image(media_type=match[1].lower(), data=url[match.end() :], detail=detail)
    findings.block(f"{where} (an image that is neither a base64 data URL nor an http URL)")
    return None


def image_url(image: Image) -> str:
    return image.url or f"data:{image.media_type};base64,{image.data}"


def image_source(image: Image, where: str, findings: Findings) -> dict[str, object] | None:
    """Anthropic's form of an image."""
    if image.detail not in {"", "auto"}:
        findings.note("image detail", "Anthropic has no such setting")
    if image.url:
        return {"type": "url", "url": image.url}
    if image.media_type not in IMAGES:
        findings.block(f"{where} (an image of type {image.media_type})")
        return None
    return {"type": "base64", "media_type": image.media_type, "data": image.data}


def image_from_source(source: Mapping[str, object], where: str, findings: Findings) -> Image | None:
    match source.get("type"):
        case "base64":
            return Image(media_type=text(source.get("media_type")), data=text(source.get("data")))
        case "url":
            return Image(url=text(source.get("url")))
        case kind:
            findings.block(f"{where} (an image given as {kind})")
            return None


def file_from_data(data: str, name: str, where: str, findings: Findings) -> File | None:
    """An OpenAI file: a data URL, or bare base64, which can only be told by its name."""
    match = _DATA_URL.match(data)
    media_type = match[1].lower() if match else PDF if name.lower().endswith(".pdf") else "unknown"
    if media_type != PDF:
        findings.block(f"{where} (a file of type {media_type}; only PDFs are known to both)")
        return None
    return File(name=name, data=data[match.end() :] if match else data)


def file_data_url(file: File) -> str:
    return f"data:{PDF};base64,{file.data}"


def document_source(file: File) -> dict[str, object]:
    """Anthropic's form of a PDF."""
    if file.url:
        return {"type": "url", "url": file.url}
    return {"type": "base64", "media_type": PDF, "data": file.data}
