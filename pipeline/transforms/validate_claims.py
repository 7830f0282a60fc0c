"""ValidateClaims: fields to claims that keep the contract."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from pipeline.claims import validate
from pipeline.claims.contract import Contract
from pipeline.claims.message import Message
from pipeline.transforms.step import Step, outputs_of


class ValidateFn(Step):
    """Normalises and validates."""

    stage = validate.STAGE

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def setup(self) -> None:
        """Compile the contract."""
        super().setup()
        self._validator = validate.ClaimValidator(self._contract)

    def decide(self, message: Message, subject: Any) -> Any:
        """The claim."""
        return self._validator.validate(subject)

    def decide_all(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Sequence[Any]:
        """The claims."""
        return self._validator.validate_all(subjects)


@dataclass
class ValidateClaims(beam.PTransform):
    """(Message, fields) -> `accepted` (Message, claim) and `rejected` (Message, Rejection)."""

    contract: Contract
    """What a claim must keep."""
    step: Callable[..., Step] = ValidateFn

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, fields: beam.PCollection) -> Any:
        """Wire the step."""
        return fields | "Validate" >> outputs_of(self.step(self.contract))
