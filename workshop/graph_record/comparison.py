"""Whether running jobs can be updated from the graph on record to another one."""

from dataclasses import dataclass

from claims_ops.deployment.transform_names import entry_for
from workshop.graph_record.fingerprint import Graph


@dataclass(frozen=True, slots=True)
class Comparison:
    """What lies between two graphs, each entry a line for people."""

    added: tuple[str, ...]
    """Labels of new steps: no obstacle to an update."""
    missing: tuple[str, ...]
    """Labels of steps of running jobs that are neither there nor in the names."""
    astray: tuple[str, ...]
    """Entries of the names that lead to no step."""
    changed: tuple[str, ...]
    """What a step keeps or passes on, otherwise than before: no name helps there."""

    @property
    def updatable(self) -> bool:
        """Whether Dataflow can be expected to replace a running job."""
        return not (self.missing or self.astray or self.changed)


def compare(recorded: Graph, built: Graph, names: dict[str, str]) -> Comparison:
    """From `recorded` to `built`; `names` maps prefixes of labels, to none for a removed step."""
    missing, astray, changed, kept = [], [], [], set()
    for label, before in recorded.items():
        entry = entry_for(label, names)
        if entry is not None and not names[entry]:
            continue  # removed on purpose
        now = label if entry is None else names[entry] + label.removeprefix(entry)
        kept.add(now)
        if now in built:
            changed += [
                f"{now}: {part}: {before.get(part)} -> {built[now].get(part)}"
                for part in sorted(before.keys() | built[now].keys())
                if before.get(part) != built[now].get(part)
            ]
        elif entry is None:
            missing.append(label)
        else:
            astray.append(f"{entry} -> {names[entry]}: {now} is no step")
    added = sorted(built.keys() - kept)
    return Comparison(tuple(added), tuple(missing), tuple(dict.fromkeys(astray)), tuple(changed))
