"""What a job was launched with, and the stages that each worker builds from it."""

from dataclasses import dataclass

from pipeline.claims.clock import Clock
from pipeline.claims.contract import Contract
from pipeline.claims.score import Rules
from pipeline.claims.stages import Enrich, Parse, Stage, Validate
from pipeline.privacy.named_fields import NamedFields
from pipeline.privacy.pseudonymisation import Pseudonymisation
from pipeline.privacy.stages import PseudonymousEnrich, PseudonymousParse, PseudonymousValidate
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
    reference_files: ReferenceFiles = ReferenceFiles()

    def parse(self) -> Stage:
        """The first stage, which reads the key of the pseudonyms."""
        parse, named = Parse(self.contract), self._named_fields()
        return PseudonymousParse(parse, named) if named else parse

    def validate(self) -> Stage:
        """The second stage, with a compiled contract."""
        validate, named = Validate(self.contract), self._named_fields()
        return PseudonymousValidate(validate, named) if named else validate

    def enrich(self, clock: Clock) -> Stage:
        """The third stage, with compiled rules, and the reference files as they are now."""
        basis = shared(self.reference_files, self.rules, self.contract)
        given = (self.contract, basis, self.high_risk_threshold, self.pipeline_version, clock)
        named = self._named_fields()
        return PseudonymousEnrich(*given, named) if named else Enrich(*given)

    def _named_fields(self) -> NamedFields | None:
        chosen = self.pseudonymisation
        return NamedFields(self.contract, chosen.names, chosen.pseudonyms()) if chosen else None
