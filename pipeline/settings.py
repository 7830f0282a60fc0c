"""What a job was launched with, and the stages that each worker builds from it."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.clock import Clock
from pipeline.claims.contract import Contract
from pipeline.claims.formats.table import FORMATS
from pipeline.claims.judgement import BasisSource
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.rules import Rules
from pipeline.claims.stages import Enrich, Map, Parse, ParseDocuments, Stage, Validate
from pipeline.privacy.named_fields import NamedFields
from pipeline.privacy.pseudonymisation import Pseudonymisation
from pipeline.privacy.stages import (
    PseudonymousDocuments,
    PseudonymousEnrich,
    PseudonymousMap,
    PseudonymousParse,
    PseudonymousValidate,
)
from pipeline.reference.watch import ReferenceFiles, shared


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides on a claim: documents and numbers, checked at launch."""

    contract: Contract
    rules: Rules
    high_risk_threshold: float
    pipeline_version: str
    error_payload: str = "FULL"
    pseudonymisation: Pseudonymisation | None = None
    input_format: str = "JSON"
    claim_map: ClaimMap | None = None
    reference_files: ReferenceFiles = ReferenceFiles()

    @property
    def map_version(self) -> str | None:
        return self.claim_map.version if self.claim_map else None

    def stages(self, clock: Clock) -> Iterator[Stage]:
        """All stages in their order, for use without Beam."""
        yield self.parse()
        if self.claim_map is not None:
            yield self.map()
        yield self.validate()
        yield self.enrich(clock)

    def parse(self) -> Stage:
        """The first stage, which reads the key of the pseudonyms."""
        named = self._named_fields()
        if self.claim_map is not None:
            documents = ParseDocuments(FORMATS[self.input_format].decode)
            return PseudonymousDocuments(documents, named) if named else documents
        parse = Parse(self.contract)
        return PseudonymousParse(parse, named) if named else parse

    def map(self) -> Stage:
        """The stage between, with a compiled claim map, where there is one."""
        if self.claim_map is None:
            raise ValueError("no claim map")
        stage, named = Map(self.claim_map, self.contract), self._named_fields()
        return PseudonymousMap(stage, named, self.claim_map.version) if named else stage

    def validate(self) -> Stage:
        validate, named = Validate(self.contract), self._named_fields()
        return PseudonymousValidate(validate, named) if named else validate

    def enrich(self, clock: Clock) -> Stage:
        """The third stage, with compiled rules, and the reference files as they are now."""

        def enrich(basis: BasisSource) -> Enrich:
            rows = ClaimRows(
                self.contract,
                basis,
                self.high_risk_threshold,
                self.pipeline_version,
                self.map_version,
            )
            return Enrich(rows, clock)

        basis, named = shared(self.reference_files, self.rules, self.contract), self._named_fields()
        return PseudonymousEnrich(enrich, basis, named) if named else enrich(basis)

    def _named_fields(self) -> NamedFields | None:
        chosen = self.pseudonymisation
        return NamedFields(self.contract, chosen.names, chosen.pseudonyms()) if chosen else None
