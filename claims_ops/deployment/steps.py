"""The kinds of steps: each checks whether something exists, and creates it if not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, ClassVar, NamedTuple, Protocol

from claims_ops.deployment.gcloud import Command, Gcloud


class Look(NamedTuple):
    """What a step found, without changing anything."""

    message: str
    fix: str | None = None
    """The command that creates what is missing; None if nothing is."""


class Step(Protocol):
    """One thing that a deployment needs."""

    @property
    def name(self) -> str:
        """What `--from` takes; steps of a kind share one."""

    @property
    def title(self) -> str:
        """Its name for people."""

    def plan(self) -> list[str]:
        """The commands of a first run: `?` reads, `+` changes something."""

    def take(self) -> str:
        """Check, and change what is needed. Returns what was done: `created`, ..., or `UNCHANGED`.

        Raises:
            GcloudError: a command failed.
        """


EXISTS, MISSING = "exists", "does not exist"
ENABLED, GRANTED = "already enabled", "already granted"
UNCHANGED = (EXISTS, ENABLED, GRANTED)
"""How the outcome of a step begins that changed nothing."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of gcloud."""

    name: str
    title: str
    describe: Command
    create: Command
    gcloud: Gcloud
    expected: Mapping[str, str] = field(default_factory=dict)
    """Paths in its description and the values expected there; a difference is reported."""

    def plan(self) -> list[str]:
        return _plan(self.gcloud, self.describe, self.create)

    def take(self) -> str:
        message, fix = self.look()
        if fix:
            self.gcloud.change(self.create)
            return "created"
        return message

    def look(self) -> Look:
        """Check only."""
        return self.compare(self.gcloud.read(self.describe))

    def compare(self, found: Mapping[str, Any] | None) -> Look:
        """The same for what was found already: its description in the API."""
        if found is None:
            return Look(MISSING, self.gcloud.shown(self.create))
        other = [
            f"{path} is {at(found, path) or 'not set'}; expected {value}"
            for path, value in self.expected.items()
            if at(found, path) != value
        ]
        return Look(f"{EXISTS}, but {'; '.join(other)}" if other else EXISTS)


@dataclass(frozen=True, slots=True)
class Apis:
    """The services that the project must have enabled."""

    services: tuple[str, ...]
    gcloud: Gcloud
    name: str = "apis"

    _LIST: ClassVar[Command] = ("services", "list", "--enabled")

    @property
    def title(self) -> str:
        return f"{len(self.services)} services"

    def plan(self) -> list[str]:
        return _plan(self.gcloud, self._LIST, self._enable(self.services))

    def take(self) -> str:
        missing = self._missing()
        if not missing:
            return ENABLED
        self.gcloud.change(self._enable(missing))
        return f"enabled {', '.join(missing)}"

    def look(self) -> Look:
        """Check only."""
        missing = self._missing()
        if not missing:
            return Look("enabled")
        return Look(f"not enabled: {', '.join(missing)}", self.gcloud.shown(self._enable(missing)))

    def _missing(self) -> tuple[str, ...]:
        enabled = {each["config"]["name"] for each in self.gcloud.read(self._LIST) or ()}
        return tuple(each for each in self.services if each not in enabled)

    def _enable(self, services: tuple[str, ...]) -> Command:
        return ("services", "enable", *services)


@dataclass(frozen=True, slots=True)
class Target:
    """What roles are granted on."""

    title: str
    commands: Command
    """The group of commands, as `pubsub topics`."""
    resource: Command
    """Name of the resource, and flags that say where it is."""

    @property
    def get(self) -> Command:
        """Asks for the grants."""
        return (*self.commands, "get-iam-policy", *self.resource)

    def add(self, member: str, role: str) -> Command:
        """Adds a grant."""
        flags = (f"--member=serviceAccount:{member}", f"--role={role}")
        none = ("--condition=None",) if self.commands == ("projects",) else ()
        return (*self.commands, "add-iam-policy-binding", *self.resource, *flags, *none)


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for a service account."""

    target: Target
    member: Callable[[], str]
    """Its email address, looked up only when it is needed."""
    who: str
    """The same for a plan, which makes no call."""
    role: str
    why: str
    policies: "Policies"
    name: str = "roles"

    @property
    def title(self) -> str:
        return f"{self.role} on {self.target.title} (to {self.why})"

    @property
    def asks(self) -> str:
        """The command that lists who has which roles."""
        return self.policies.gcloud.shown(self.target.get)

    def plan(self) -> list[str]:
        return _plan(self.policies.gcloud, self.target.get, self.target.add(self.who, self.role))

    def take(self) -> str:
        if self.policies.has(self.target, self.member(), self.role):
            return GRANTED
        self.policies.gcloud.change(self.target.add(self.member(), self.role))
        return "granted"

    def look(self) -> Look:
        """Check only."""
        member = self.member()
        if self.policies.has(self.target, member, self.role):
            return Look("granted")
        add = self.target.add(member, self.role)
        return Look(f"{member} lacks this role", self.policies.gcloud.shown(add))


class Policies:
    """Who has which role; the policy of each resource is read once."""

    def __init__(self, gcloud: Gcloud) -> None:
        self.gcloud = gcloud
        self._known: dict[Target, Any] = {}
        self._asking: dict[Target, Lock] = {}

    def has(self, target: Target, member: str, role: str) -> bool:
        """Whether an account has a role without conditions."""
        with self._asking.setdefault(target, Lock()):
            if target not in self._known:
                self._known[target] = self.gcloud.read(target.get)
        bindings = (self._known[target] or {}).get("bindings", ())
        return any(
            binding["role"] == role
            and f"serviceAccount:{member}" in binding["members"]
            and "condition" not in binding
            for binding in bindings
        )


def _plan(gcloud: Gcloud, asks: Command, changes: Command) -> list[str]:
    return [f"? {gcloud.shown(asks)}", f"+ {gcloud.shown(changes)}"]


def at(description: Mapping[str, Any], path: str) -> Any:
    """The value in a description at a path such as `a.b`; None if there is none."""
    found: Any = description
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
