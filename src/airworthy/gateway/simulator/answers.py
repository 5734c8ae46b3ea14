"""The simulated model's final words: a text, or an instance of a schema, made from the tools' facts."""

import random
import re
from collections.abc import Sequence

from airworthy.gateway.simulator import results
from airworthy.gateway.simulator.conversation import (
    FINAL_TOOLS,
    Conversation,
    Json,
    as_dict,
    as_list,
    as_text,
)
from airworthy.gateway.simulator.facts import FIELDS_MAX, Field, fields_of, singular, words
from airworthy.gateway.simulator.schema import DEPTH_MAX, ITEMS_MAX, accepts, fitted, kind_of, options, sample

_TEXT_WORDS = {
    "answer", "message", "text", "reply", "summary", "response", "content", "result", "output", "explanation",
    "reason", "reasoning", "description", "body", "comment", "note", "notes",
}  # fmt: skip
_SOURCE_WORDS = {"source", "sources", "citation", "citations", "evidence", "tool", "tools"}
_SURE_WORDS = {"confidence", "score", "certainty", "probability"}
_SUCCESS_WORDS = {
    "found",
    "resolved",
    "success",
    "successful",
    "answered",
    "ok",
    "known",
    "available",
    "done",
    "can",
}
_CONFIDENT = 0.9
_UNSURE = 0.2
TOPIC_CHARS_MAX = 80


def compose(conversation: Conversation, missing: Sequence[str], chance: random.Random) -> str:
    """`missing` are the parameters to ask the user for, if nothing was looked up."""
    looked_up = [use for use in conversation.fresh if not use.name.startswith(FINAL_TOOLS)]
    good = [use for use in looked_up if not results.is_error(use)]
    facts = [fact for use in good for fact in results.quotable(use, conversation.user)]
    if facts:
        opening = chance.choice(
            ("Here is what I found:", "I looked this up:", "This is what the records say:")
        )
        # Quoted once each: two tools often report the same field.
        return f"{opening} {'; '.join(dict.fromkeys(facts))}."
    if good:
        return "It is done."
    if looked_up:
        return chance.choice(
            (
                "I am sorry, that information is not available at the moment.",
                "I could not find this: the information is not available.",
            )
        )
    if missing:
        asked = " and ".join(name.replace("_", " ") for name in missing)
        return chance.choice(
            (f"To look into this I need your {asked}.", f"Could you give me the {asked}, please?")
        )
    topic = " ".join(conversation.user.split())[:TOPIC_CHARS_MAX]
    return (
        f"You wrote: “{topic}”. The information to answer this is not available to me."
        if topic
        else "How can I help?"
    )


def demanded(command: str) -> str:
    """The text a planted instruction wants said: what it quotes, else the instruction itself."""
    quoted = re.search(r"[\"“']([^\"”']{2,300})[\"”']", command)
    return quoted.group(1) if quoted else f"As instructed: {command[:300]}"


def instance(schema: Json, conversation: Conversation, text: str, chance: random.Random) -> Json:
    """A value of the schema: same-named fields of results, the text where one is asked for, else samples."""
    return _Builder(as_dict(schema), conversation, text, chance).build(as_dict(schema), "", 0)


class _Builder:
    def __init__(
        self, root: dict[str, Json], conversation: Conversation, text: str, chance: random.Random
    ) -> None:
        self._root = root
        self._conversation = conversation
        self._text = text
        self._chance = chance
        self._good = [use for use in conversation.uses if not results.is_error(use)]
        self._fields: list[Field] = [field for use in reversed(self._good) for field in fields_of(use)][
            :FIELDS_MAX
        ]
        self._heard = f"{text} {conversation.user}".lower()

    def build(self, schema: Json, name: str, depth: int) -> Json:
        if depth > DEPTH_MAX:
            return sample(schema, self._root, DEPTH_MAX)
        parts = words(name)
        if parts and not set(parts) & _TEXT_WORDS:
            for field in self._fields:
                if singular(field.words) == singular(parts) and accepts(field.value, schema, self._root):
                    return field.value
        choices = options(schema, self._root)
        # Without a fact, null is the honest value where it is allowed, except for the answer itself.
        if any(kind_of(option) == "null" for option in choices) and not set(parts) & _TEXT_WORDS:
            return None
        option = next((choice for choice in choices if kind_of(choice) != "null"), choices[0])
        return self._of_kind(option, name, depth)

    def _of_kind(self, option: dict[str, Json], name: str, depth: int) -> Json:
        parts = set(words(name))
        if "const" in option:
            return option["const"]
        if as_list(option.get("enum")):
            return self._chosen(as_list(option["enum"]))
        match kind_of(option):
            case "object":
                return self._object(option, depth)
            case "array":
                return self._array(option, parts, depth)
            case "boolean":
                return bool(self._good) if parts & _SUCCESS_WORDS else False
            case "integer" | "number":
                sure = _CONFIDENT if self._good else _UNSURE
                if parts & _SURE_WORDS and accepts(sure, option, self._root):
                    return sure
                return sample(option, self._root)
            case "string" | "any" if not option.get("format") and not option.get("pattern"):
                return fitted(self._text if parts & _TEXT_WORDS or not parts else "not available", option)
            case "string" if option.get("pattern"):
                tokens = re.findall(r"[\w@.+#-]*\w", f"{self._text} {self._conversation.user}")
                return next(
                    (token for token in tokens if accepts(token, option, self._root)),
                    sample(option, self._root),
                )
            case _:
                return sample(option, self._root)

    def _chosen(self, choices: list[Json]) -> Json:
        spoken = [
            item
            for item in choices
            if as_text(item) and as_text(item).replace("_", " ").lower() in self._heard
        ]
        return spoken[0] if spoken else choices[0]

    def _object(self, option: dict[str, Json], depth: int) -> Json:
        properties = as_dict(option.get("properties"))
        required = {as_text(name) for name in as_list(option.get("required"))}
        return {
            name: self.build(part, name, depth + 1)
            for name, part in properties.items()
            if name in required or set(words(name)) & _TEXT_WORDS
        } | dict.fromkeys(sorted(required - properties.keys()), "not available")

    def _array(self, option: dict[str, Json], parts: set[str], depth: int) -> Json:
        item = option.get("items", {})
        made: list[Json] = []
        if parts & _SOURCE_WORDS and accepts("tool", item, self._root):
            made.extend(dict.fromkeys(use.name for use in self._good))
        low, high = option.get("minItems"), option.get("maxItems")
        while isinstance(low, int) and len(made) < min(low, ITEMS_MAX):
            made.append(self.build(item, "text", depth + 1))
        return made[:high] if isinstance(high, int) else made
