"""The stages of a job with `pseudonymise`: they decide on clear values and pass none of them on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from pipeline.claims.clock import Clock
from pipeline.claims.columns import Rows
from pipeline.claims.contract import Contract
from pipeline.claims.history import part_of
from pipeline.claims.judgement import BasisSource
from pipeline.claims.message import Message, Part
from pipeline.claims.stages import Decided, Enrich, Metrics, Stage, decide
from pipeline.privacy.basis import OfOriginals, OfReplays
from pipeline.privacy.named_fields import NamedFields


class PseudonymousParse(Stage):
    """Passes each message on as it may be kept."""

    def __init__(self, parse: Stage, named: NamedFields) -> None:
        self.name = parse.name
        self._parse = parse
        self._named = named

    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        """What the wrapped stage decides, beside the replaced messages."""
        # Surprises end here, so that no message leaves in clear with one.
        decided = decide(self._parse, messages, subjects)
        replaced = list(map(self._named.message, decided.messages, decided.outcomes))
        rejected = [(self._named.message(message, why), why) for message, why in decided.rejected]
        return Decided(replaced, decided.outcomes, rejected)


class PseudonymousDocuments(Stage):
    """Passes documents of another shape on as they came, and of rejected ones the structure.

    Where the named fields are in a document, only its map knows: `PseudonymousMap`, which follows
    in the same process, keeps none of them.
    """

    def __init__(self, parse: Stage, named: NamedFields) -> None:
        self.name = parse.name
        self._parse = parse
        self._named = named

    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        """What the wrapped stage decides."""
        decided = decide(self._parse, messages, subjects)
        return decided._replace(
            rejected=[(self._named.message(message, why), why) for message, why in decided.rejected]
        )


class PseudonymousMap(Stage):
    """Keeps of each message the claim that was made of it, with pseudonyms, and nothing else.

    The document itself may hold the values of named fields anywhere. A replay of such a claim is
    not mapped again.
    """

    def __init__(self, mapping: Stage, named: NamedFields, map_version: str) -> None:
        self.name = mapping.name
        self._mapping = mapping
        self._named = named
        self._only_part = Part(0, 1, map_version)

    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        """What the wrapped stage decides, beside claims in place of documents."""
        # Surprises end here, so that no message leaves in clear with one.
        decided = decide(self._mapping, messages, subjects)
        return Decided(
            list(map(self._kept, decided.messages, decided.outcomes)),
            decided.outcomes,
            [(self._named.message(message, why), why) for message, why in decided.rejected],
        )

    def take_metrics(self) -> Metrics:
        """Those of the wrapped stage."""
        return self._mapping.take_metrics()

    def _kept(self, message: Message, claim: dict[str, Any]) -> Message:
        part = part_of(message)
        if part is None:
            data = orjson.dumps(claim)
            message = message._replace(data=data, part=self._only_part)
        return self._named.message(message, claim)


class PseudonymousValidate(Stage):
    """Rejects pseudonyms of another key, and has no clear claim id in its rejections."""

    def __init__(self, validate: Stage, named: NamedFields) -> None:
        self.name = validate.name
        self._validate = validate
        self._named = named

    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        """What the wrapped stage decides on messages without a foreign pseudonym."""
        checked = [self._named.refused(fields) or fields for fields in subjects]
        own = Decided.of(messages, checked)
        decided = self._validate.decide(own.messages, own.outcomes)
        rejected = [(message, self._named.rejection(why)) for message, why in decided.rejected]
        return decided._replace(rejected=[*own.rejected, *rejected])


class PseudonymousEnrich(Stage):
    """Scores claims on clear values, and replaces them in the rows.

    A replay comes with pseudonyms already. Rules that look into one would misfire on it, so that
    they are not applied to it.
    """

    name = Enrich.name

    def __init__(
        self,
        contract: Contract,
        basis: BasisSource,
        high_risk_threshold: float,
        pipeline_version: str,
        clock: Clock,
        named: NamedFields,
        map_version: str | None = None,
    ) -> None:
        rest = (high_risk_threshold, pipeline_version, clock, map_version)
        self._of_replays = OfReplays(basis, named.names)
        self._originals = Enrich(contract, OfOriginals(basis, named), *rest)
        self._replays = Enrich(contract, self._of_replays, *rest)
        self._named = named

    def decide(self, messages: Sequence[Message], subjects: Sequence[dict[str, Any]]) -> Decided:
        """The row of each claim."""
        if any(map(self._is_unfit, subjects)):
            return Decided.joined(map(self._decide_alone, messages, subjects))
        return self._replaced(self._originals.decide(messages, subjects))

    def take_metrics(self) -> Metrics:
        """Those of both kinds of claims."""
        originals, replays = self._originals.take_metrics(), self._replays.take_metrics()
        counts = Counter(originals.counts) + Counter(replays.counts)
        return Metrics(counts, {**replays.samples, **originals.samples})

    def _decide_alone(self, message: Message, claim: dict[str, Any]) -> Decided:
        enrich = self._replays if self._is_unfit(claim) else self._originals
        return self._replaced(enrich.decide([message], [claim]))

    def _replaced(self, decided: Decided) -> Decided:
        columns = cast(Rows, decided.outcomes).columns
        return decided._replace(outcomes=Rows(self._named.replaced(columns)))

    def _is_unfit(self, claim: Mapping[str, Any]) -> bool:
        """Whether a rule would look into a pseudonym."""
        looked_into = self._of_replays.looked_into()
        return any(self._named.is_pseudonym(name, claim[name]) for name in looked_into)
