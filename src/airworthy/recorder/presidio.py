"""Rules of Microsoft Presidio as ours: its recognisers of patterns, and of names with a spaCy model of the user's.

Nothing is fetched: a model must be installed, and recognisers that ask the network for a list are left out.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from airworthy.core.errors import ConfigError
from airworthy.core.personal import PersonalRule

SCORE_MIN: Final = 0.4  # Presidio's own for a phone number without words around it
# Their recognisers ask the network for the list of public suffixes; an e-mail address is found by a rule of our own.
ASKING: Final = frozenset({"EMAIL_ADDRESS", "URL", "DOMAIN_NAME"})


def presidio_rules(entities: Sequence[str], language: str = "en", model: str = "") -> list[PersonalRule]:
    """One rule for each entity, such as PERSON or US_SSN. `model`: an installed spaCy model, for those that need one.

    Raises: ConfigError when the extra or the model is missing, or an entity is unknown without it.
    """
    asking = sorted(ASKING & set(entities))
    if asking:
        raise ConfigError(
            f"Presidio asks the network to find {', '.join(asking)}.",
            mend="Use the rule `email` of our own, or one in [[redact.rules]].",
        )
    found = _with_model(language, model) if model else _patterns(language)
    supported = found.supported
    unknown = sorted(set(entities) - supported)
    if unknown:
        raise ConfigError(
            f"Presidio does not find {', '.join(unknown)} {'with' if model else 'without'} a model.",
            mend=f"Take of these: {', '.join(sorted(supported))}; names and places need presidio_model.",
        )
    wanted = tuple(entities)

    @lru_cache(maxsize=1)  # The rules ask one after another for the same text.
    def all_in(text: str) -> tuple[tuple[str, int, int], ...]:
        return tuple(found.find(text, wanted))

    def rule(entity: str) -> PersonalRule:
        def find(text: str) -> Iterator[tuple[int, int]]:
            return ((start, end) for kind, start, end in all_in(text) if kind == entity)

        return PersonalRule(entity.lower(), entity.lower(), find, f"Presidio's {entity}.")

    return [rule(entity) for entity in wanted]


class _Patterns:
    def __init__(self, recognizers: Sequence[Any]) -> None:
        self._recognizers = recognizers
        self.supported = {entity for each in recognizers for entity in each.supported_entities}

    def find(self, text: str, entities: Sequence[str]) -> Iterator[tuple[str, int, int]]:
        for each in self._recognizers:
            asked = [entity for entity in each.supported_entities if entity in entities]
            if asked:
                for found in each.analyze(text, asked, None) or ():
                    if found.score >= SCORE_MIN:
                        yield found.entity_type, found.start, found.end


class _Engine:
    def __init__(self, engine: Any, language: str) -> None:
        self._engine, self._language = engine, language
        self.supported = set(engine.get_supported_entities(language)) - ASKING

    def find(self, text: str, entities: Sequence[str]) -> Iterator[tuple[str, int, int]]:
        for found in self._engine.analyze(
            text, self._language, entities=list(entities), score_threshold=SCORE_MIN
        ):
            yield found.entity_type, found.start, found.end


def _registry(language: str) -> Any:
    try:
        from presidio_analyzer import RecognizerRegistry
    except ImportError as error:
        raise ConfigError(
            "[redact] names entities of Presidio, which is not installed.",
            mend="pip install 'airworthy[presidio]'",
        ) from error
    registry = RecognizerRegistry(supported_languages=[language])
    registry.load_predefined_recognizers(languages=[language])
    registry.recognizers = [
        each for each in registry.recognizers if not ASKING & set(each.supported_entities)
    ]
    return registry


def _patterns(language: str) -> _Patterns:
    registry = _registry(language)
    from presidio_analyzer import PatternRecognizer
    from presidio_analyzer.predefined_recognizers import PhoneRecognizer

    kinds = (PatternRecognizer, PhoneRecognizer)
    return _Patterns([each for each in registry.recognizers if isinstance(each, kinds)])


def _with_model(language: str, model: str) -> _Engine:
    registry = _registry(language)
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    if not spacy.util.is_package(model):  # Presidio would fetch it.
        raise ConfigError(
            f"The spaCy model {model} is not installed.", mend=f"python -m spacy download {model}"
        )
    models = [{"lang_code": language, "model_name": model}]
    nlp = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    return _Engine(
        AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=[language]), language
    )
