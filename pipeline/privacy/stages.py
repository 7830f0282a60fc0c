"""The stages of a job with `pseudonymise`: they decide on clear values and pass none of them on."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import orjson

from pipeline.claims.columns import Rows
from pipeline.claims.history import part_of
from pipeline.claims.judgement import Basis, BasisSource
from pipeline.claims.message import Message, Part, json_data
from pipeline.claims.stages import Decided, Enrich, Metrics, Stage, decide
from pipeline.privacy.basis import AdaptedBasis, rules_into, with_profiles_by_pseudonym, without
from pipeline.privacy.named_fields import NamedFields


class _Wrapping(Stage):
    """A stage around another one, whose name and metrics it has."""

    def __init__(self, stage: Stage, named: NamedFields) -> None:
        self.name = stage.name
        self._stage = stage
        self._named = named

    def take_metrics(self) -> Metrics:
        return self._stage.take_metrics()

    def _decided(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        """What the wrapped stage decides, with rejected messages as they may be kept."""
        # Surprises end here, so that no message leaves in clear with one.
        decided = decide(self._stage, messages, subjects)
        return decided._replace(
            rejected=[(self._named.message(message, why), why) for message, why in decided.rejected]
        )


class PseudonymousParse(_Wrapping):
    """Passes each message on as it may be kept."""

    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        decided = self._decided(messages, subjects)
        replaced = list(map(self._named.message, decided.messages, decided.outcomes))
        return decided._replace(messages=replaced)


class PseudonymousDocuments(_Wrapping):
    """Passes documents of another shape on as they came, and of rejected ones the structure.

    Where the named fields are in a document, only its map knows: `PseudonymousMap`, which follows
    in the same process, keeps none of them.
    """

    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        return self._decided(messages, subjects)


class PseudonymousMap(_Wrapping):
    """Keeps of each message the claim that was made of it, with pseudonyms, and nothing else.

    The document itself may hold the values of named fields anywhere. A replay of such a claim is
    not mapped again.
    """

    def __init__(self, mapping: Stage, named: NamedFields, map_version: str) -> None:
        super().__init__(mapping, named)
        self._only_part = Part(0, 1, map_version)

    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        decided = self._decided(messages, subjects)
        return decided._replace(messages=list(map(self._kept, decided.messages, decided.outcomes)))

    def _kept(self, message: Message, claim: dict[str, Any]) -> Message:
        if part_of(message) is None:
            try:
                message = message._replace(data=json_data(claim), part=self._only_part)
            except orjson.JSONEncodeError:  # nested 255 levels deep
                return self._named.message(message, None)
        return self._named.message(message, claim)


class PseudonymousValidate(_Wrapping):
    """Rejects pseudonyms of another key, and has no clear claim id in its rejections."""

    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        checked = [self._named.refused(fields) or fields for fields in subjects]
        own = Decided.of(messages, checked)
        decided = self._stage.decide(own.messages, own.outcomes)
        rejected = [(message, self._named.rejection(why)) for message, why in decided.rejected]
        return decided._replace(rejected=[*own.rejected, *rejected])


class PseudonymousEnrich(Stage):
    """Scores claims on clear values, and replaces them in the rows.

    A replay comes with pseudonyms already. Rules that look into one would misfire on it, so that
    they are not applied to it.
    """

    name = Enrich.name

    def __init__(
        self, enrich: Callable[[BasisSource], Enrich], basis: BasisSource, named: NamedFields
    ) -> None:
        """`enrich` makes the stage that judges claims by a basis."""
        self._named = named
        self._looked_into: list[str] = []
        """The named fields that rules look into."""
        originals = AdaptedBasis(basis, lambda now: with_profiles_by_pseudonym(now, named))
        self._of_replays = AdaptedBasis(basis, self._without_rules_into_pseudonyms)
        self._originals, self._replays = enrich(originals), enrich(self._of_replays)

    def decide(self, messages: Sequence[Message], subjects: Sequence[dict[str, Any]]) -> Decided:
        self._of_replays.now()
        if any(map(self._is_unfit, subjects)):
            return Decided.joined(map(self._decide_alone, messages, subjects))
        return self._replaced(self._originals.decide(messages, subjects))

    def take_metrics(self) -> Metrics:
        originals, replays = self._originals.take_metrics(), self._replays.take_metrics()
        counts = Counter(originals.counts) + Counter(replays.counts)
        return Metrics(counts, {**replays.samples, **originals.samples})

    def _without_rules_into_pseudonyms(self, basis: Basis) -> Basis:
        unfit = rules_into(basis.rules, self._named.names)
        self._looked_into = sorted(frozenset[str]().union(*unfit.values()))
        return basis._replace(rules=without(basis.rules, unfit))

    def _decide_alone(self, message: Message, claim: dict[str, Any]) -> Decided:
        enrich = self._replays if self._is_unfit(claim) else self._originals
        return self._replaced(enrich.decide([message], [claim]))

    def _replaced(self, decided: Decided) -> Decided:
        columns = cast(Rows, decided.outcomes).columns
        return decided._replace(outcomes=Rows(self._named.replaced(columns)))

    def _is_unfit(self, claim: Mapping[str, Any]) -> bool:
        """Whether a rule would look into a pseudonym."""
        return any(self._named.is_pseudonym(name, claim[name]) for name in self._looked_into)
