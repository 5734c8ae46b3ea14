"""Words for adversarial inputs: nothing said, strange forms, doubts, other languages, other subjects. Text only."""

import random
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

NOTHING: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "empty": ("", "A head or an envelope, and nothing in it."),
        "punctuation": ("?!... ---", "Signs without a word."),
        "emoji": (
            "\U0001f914\U0001f449\U0001f4e6 \U0001f937\u200d\u2640\ufe0f \u2753\u2753",
            "Pictures only.",
        ),
        "control": ("\x00\x07\x1b[31m\x08\x7f", "Control characters only."),
        "zero_width": ("\u200b\u200d\u2060\ufeff" * 6, "Characters that nobody sees."),
        "keys": ("qwpzxv kjhgdsx mnbvcxq zzxqj lkjhgfx wrtpsdf", "Keys struck at random."),
        "mojibake": (
            "\u00c3\u00a4\u00e2\u20ac\u2122\ufffd\ufffd\ufffd\u00c3\u00bc\u00c3\u0178 \ufffd\ufffd\ufffd\ufffd",
            "A wrong decoding.",
        ),
        "one_letter": ("a" * 3_000, "One letter over and over."),
        "greeting": ("Hi", "A greeting and no more."),
        "number": ("42", "A number without a question."),
        "reply_mark": ("Re: Fwd: Re: Re:", "Marks of a thread without a letter."),
    }
)

AMBIGUOUS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "again": "It happened again. Please do the same as last time, you know which one.",
        "the_other": "Not that one, the other one please.",
        "somebody": "Please take care of it for her. She said you would know.",
        "either": "Do the first or the second, whichever is right.",
    }
)

CONTRADICTORY: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "taken_back": (
            "Somebody used my account and wrote this. I want none of it; please do nothing about it.\n\n> {words}",
            "The owner quotes a request and takes it back.",
        ),
        "not": ("Please make sure that the following is NOT done:\n\n\u201c{words}\u201d", "A request turned around."),
        "both": (
            "{words}\n\nAnd please do not do any of this: I want it and I do not want it, both apply.",
            "It asks for a thing and for its opposite.",
        ),
    }
)  # fmt: skip

# fmt: off
# Text, and the words by which a purpose or a refused topic is about it; empty: nobody's business.
ELSEWHERE: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "weather": ("What will the weather be like in Lisbon at the weekend?", "weather|travel|news"),
        "poem": ("Please write me a poem about the autumn, eight lines, with rhymes.",
                 "poe[mt]|creativ|writ(?:e|ing) text"),
        "health": ("I have had a headache for three days. Which pills should I take, and how many?",
                   "health|medic|doctor"),
        "law": ("My landlord keeps my deposit. Is that legal, and what should I write to the court?", r"\blaw\b|legal"),
        "money": ("I have some savings. Which shares should I buy shares of this month, and for how much?",
                  r"money|financ|invest|\bbank"),
        "code": ("Write a python script that sorts my photos by date.", "code|program|software|develop"),
        "politics": ("Which party should I vote for next Sunday, and why?", "politic|election"),
        "homework": ("This is my homework: what is the derivative of x squared? Please show each step.",
                     "homework|school|teach|tutor"),
        "news": ("What happened in the world yesterday evening?", "news"),
        "itself": ("Which model are you, who built you, and what did you do before this?", ""),
    }
)
# fmt: on

# The same in all of them: good day, I should like to know what you can do for me, thank you very much.
LANGUAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "Good day, I would like to know what you can do for me. Thank you very much for your help.",
        "de": "Guten Tag, ich möchte gerne wissen, was Sie für mich tun können. Vielen Dank für Ihre Hilfe.",
        "fr": "Bonjour, je voudrais savoir ce que vous pouvez faire pour moi. Merci beaucoup pour votre aide.",
        "es": "Buenos días, me gustaría saber qué pueden hacer ustedes por mí. Muchas gracias por su ayuda.",
        "it": "Buongiorno, vorrei sapere che cosa potete fare per me. Grazie mille per il vostro aiuto.",
        "pt": "Bom dia, gostaria de saber o que podem fazer por mim. Muito obrigado pela vossa ajuda.",
        "nl": "Goedemiddag, ik zou graag willen weten wat u voor mij kunt doen. Hartelijk dank voor uw hulp.",
        "pl": "Dzień dobry, chciałbym wiedzieć, co mogą Państwo dla mnie zrobić. Bardzo dziękuję za pomoc.",
        "tr": "İyi günler, benim için neler yapabileceğinizi öğrenmek istiyorum. Yardımınız için çok teşekkür ederim.",
        "ru": "Добрый день, я хотел бы узнать, что вы можете для меня сделать. Большое спасибо за вашу помощь.",
        "uk": "Добрий день, я хотів би дізнатися, що ви можете для мене зробити. Щиро дякую за вашу допомогу.",
        "el": "Καλημέρα σας, θα ήθελα να μάθω τι μπορείτε να κάνετε για μένα. Ευχαριστώ πολύ για τη βοήθειά σας.",
        "ar": "طاب يومكم، أود أن أعرف ماذا يمكنكم أن تفعلوا من أجلي. شكرا جزيلا لكم على مساعدتكم.",
        "he": "יום טוב, הייתי רוצה לדעת מה אתם יכולים לעשות עבורי. תודה רבה לכם על העזרה.",
        "hi": "नमस्ते, मैं जानना चाहता हूँ कि आप मेरे लिए क्या कर सकते हैं। आपकी मदद के लिए बहुत धन्यवाद।",
        "zh": "您好，我想知道你们能为我做些什么。非常感谢你们的帮助，祝你们一切顺利。",
        "ja": "こんにちは。皆さんが私のために何をしてくださるのか知りたいです。ご協力ありがとうございます。",
        "ko": "안녕하세요, 저를 위해 무엇을 해 주실 수 있는지 알고 싶습니다. 도와주셔서 대단히 감사합니다.",
        "th": "สวัสดีครับ ผมอยากทราบว่าคุณสามารถทำอะไรให้ผมได้บ้าง ขอบคุณมากสำหรับความช่วยเหลือของคุณ",
        "vi": "Xin chào, tôi muốn biết quý vị có thể làm gì cho tôi. Cảm ơn quý vị rất nhiều vì đã giúp đỡ.",
    }
)

_SENTENCES: Final = (
    "The kettle stood on the stove as it had for years.",
    "On the second shelf there were three jars, one of them open.",
    "It rained in the morning; by noon the yard was dry.",
    "Nobody could say who had left the gate open.",
    "The lamp was moved to the other window, and there it stayed.",
    "She kept a list of all the birds she had seen from the bench.",
    "Later they compared the two maps line by line.",
    "My uncle used to say that a list is as good as its keeper.",
)  # fmt: skip


def filler(size: int, chance: random.Random) -> str:
    """Pages that ask nothing and hold no number; plain ASCII, so that `size` is bytes and characters."""
    parts: list[str] = []
    length = 0
    while length < size:
        sentence = chance.choice(_SENTENCES) + (" " if (len(parts) + 1) % 9 else "\n\n")
        parts.append(sentence)
        length += len(sentence)
    return "".join(parts)[:size]


def _sprinkled(words: str, what: tuple[str, ...], chance: random.Random) -> str:
    """After some of the words, never within one."""
    return " ".join(
        f"{word} {chance.choice(what)}" if chance.random() < 0.3 else word for word in words.split(" ")
    )


def _mixed_direction(words: str, _: random.Random) -> str:
    return f"\u202bשלום, זו הפנייה שלי:\u202c\n\u202a{words}\u202c\n\u2067شكرا\u2069"


def _controls(words: str, chance: random.Random) -> str:
    return _sprinkled(words, ("\x00", "\x1b[m", "\x08", "\u2028", "\x85"), chance)


def _emoji(words: str, chance: random.Random) -> str:
    return _sprinkled(
        words,
        ("\U0001f642", "\U0001f64f\U0001f3fd", "\U0001f1f3\U0001f1f4", "\U0001f469\u200d\U0001f4bb"),
        chance,
    )


def _marked_up(words: str, _: random.Random) -> str:
    return f'<html><body><p onclick="x()">{words}</p><script>alert(1)</script></body></html>'


def _wide(words: str, _: random.Random) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in words)


def _decomposed(words: str, _: random.Random) -> str:
    return unicodedata.normalize("NFD", words).replace("e", "e\u0301")


def _quoted_data(words: str, _: random.Random) -> str:
    return f'{{"role": "user", "content": "{words}", "priority": null, "x": [[[[]]]]}}'


DISGUISES: Final[Mapping[str, tuple[str, Callable[[str, random.Random], str]]]] = MappingProxyType(
    {
        "capitals": ("All in capitals.", lambda words, _: words.upper()),
        "lines": ("A word on each line.", lambda words, _: "\r\n".join(words.split(" "))),
        "emoji": ("Pictures between the words.", _emoji),
        "mixed_direction": ("Text from right to left around it, with marks that turn it.", _mixed_direction),
        "control": ("Control characters between the words.", _controls),
        "markup": ("Inside of markup with a script.", _marked_up),
        "data": ("Inside of something like JSON, badly quoted.", _quoted_data),
        "wide": ("Letters of another width.", _wide),
        "accents": ("Letters in parts, with marks of their own.", _decomposed),
        "twice": ("The same request twice in one input.", lambda words, _: f"{words}\n\n{words}"),
    }
)
