"""The real gcloud in an environment of its own: no account, no network, no trace on the machine."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROJECT = "my-project"

_NO_NETWORK = "http://127.0.0.1:9"  # the discard port, where nobody listens
_SETTINGS = {
    "CLOUDSDK_CORE_PROJECT": PROJECT,
    "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "1",
    "CLOUDSDK_CORE_CHECK_GCE_METADATA": "0",
    "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
    "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
    "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
    # What is not sent to a stand-in fails at once.
    "HTTP_PROXY": _NO_NETWORK,
    "HTTPS_PROXY": _NO_NETWORK,
    "NO_PROXY": "127.0.0.1",
    "http_proxy": _NO_NETWORK,
    "https_proxy": _NO_NETWORK,
    "no_proxy": "127.0.0.1",
}


@dataclass(frozen=True)
class Gcloud:
    """gcloud, and programs that call it. Where it is missing a test is skipped; in CI it fails."""

    home: Path
    """An empty directory: home, and gcloud's configuration."""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """The `environment` of the stand-ins."""

    def __post_init__(self) -> None:
        if not shutil.which("gcloud"):
            missing = "no gcloud: install the Google Cloud SDK, cloud.google.com/sdk"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of a program that runs in it."""
        own = {"HOME": str(self.home), "CLOUDSDK_CONFIG": str(self.home / "gcloud")}
        kept = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        return kept | own | _SETTINGS | dict(self.endpoints)

    def run(
        self, *command: str | Path, check: bool = True, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end; `more` is added to its environment.

        AssertionError, with what it wrote on stderr, when it fails and `check` is set.
        """
        ended = subprocess.run(
            command,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert not check or ended.returncode == 0, f"{command} failed:\n{ended.stderr}"
        return ended


def unknown_to_gcloud(gcloud: Gcloud, of: Iterable[tuple[str, list[str]]]) -> list[str]:
    """The commands of gcloud that its own parser refuses: where they stand, why."""
    asked = {shlex.join(words): place for place, words in of if words[0] == "gcloud"}
    file = gcloud.home / "commands.json"
    file.write_text(json.dumps([{"command_string": text} for text in asked]))
    ended = gcloud.run("gcloud", "meta", "lint-gcloud-commands", f"--commands-file={file}")
    return [
        f"{place}: {text}: {' '.join(answer['error_message'].split())}"
        for (text, place), answer in zip(asked.items(), json.loads(ended.stdout), strict=True)
        if not answer["success"]
    ]
