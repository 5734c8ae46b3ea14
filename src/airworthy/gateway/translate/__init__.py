"""Requests, replies and streams of one protocol in the words of another, for a call that falls back across protocols.

Pure: bytes and values in, bytes and values out.
"""

from airworthy.gateway.translate.bridge import Bridge, Translated, TranslatedReply, translate_request
from airworthy.gateway.translate.conversation import DialectName
from airworthy.gateway.translate.findings import Untranslatable
from airworthy.gateway.translate.replies import translate_reply
from airworthy.gateway.translate.streams import StreamTranslator, stream_translator
from airworthy.gateway.translate.target import Target

__all__ = [
    "Bridge",
    "DialectName",
    "StreamTranslator",
    "Target",
    "Translated",
    "TranslatedReply",
    "Untranslatable",
    "stream_translator",
    "translate_reply",
    "translate_request",
]
