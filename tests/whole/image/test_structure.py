"""What is in the image, and what is not."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.whole.image import containers, engine
from tests.whole.image.containers import LAUNCHER, PYTHON

ROOT = Path(__file__).parents[3]
OURS = "claims-pipeline"
SITE = "/usr/local/lib/python3.11/site-packages"
BUDGET_BYTES = 150e6
INSTALLERS = {"pip", "setuptools", "wheel"}  # those of the base


def inventory(image: str) -> dict[str, Any]:
    """What the program of this name says of an image; as root, who can read all of it."""
    program = Path(__file__).with_name("inventory.py")
    container = containers.confined(
        image, "/inventory.py", entrypoint=PYTHON, mounts={program: "/inventory.py"}
    ).with_kwargs(user="root", network_mode="none", read_only=True, entrypoint=[PYTHON])
    code, out, err = containers.ended(container)
    assert code == 0, err
    return json.loads(out)


@pytest.fixture(scope="module")
def content(image: str) -> dict[str, Any]:
    return inventory(image)


@pytest.fixture(scope="module")
def base_content(image: str) -> dict[str, Any]:
    return inventory(engine.call(engine.HERE / "base.sh", "PYTHON_IMAGE").strip())


@pytest.fixture(scope="module")
def added(content: dict[str, Any], base_content: dict[str, Any]) -> set[str]:
    """Files that are not in the base."""
    return set(content["files"]) - set(base_content["files"])


@pytest.fixture(scope="module")
def configuration(image: str) -> dict[str, Any]:
    [inspected] = json.loads(engine.call("docker", "image", "inspect", image))
    return inspected["Config"]


def locked() -> dict[str, str]:
    """The versions of requirements.txt on the system of the image, which is ours too."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"\w", line)]
    environment = {"sys_platform": "linux", "python_version": "3.11"}
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pins
        if pin.marker is None or pin.marker.evaluate(environment)
    }


def closure(distributions: dict[str, Any], requirement: Requirement) -> Iterator[str]:
    """Names of all that a requirement brings."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [requirement]
    while waiting:
        each = waiting.pop()
        key = (canonicalize_name(each.name), frozenset(each.extras))
        if key in seen or key[0] not in distributions:
            continue
        seen.add(key)
        yield key[0]
        for inner in map(Requirement, distributions[key[0]]["requires"]):
            extras = each.extras or {""}
            if not inner.marker or any(inner.marker.evaluate({"extra": e}) for e in extras):
                waiting.append(inner)


def test_it_starts_workers_and_launches(configuration, content):
    assert configuration["Entrypoint"] == ["/opt/apache/beam/boot"]
    environment = dict(entry.split("=", 1) for entry in configuration["Env"])
    program = environment["FLEX_TEMPLATE_PYTHON_PY_FILE"]
    assert {*configuration["Entrypoint"], LAUNCHER, program} <= set(content["files"])
    # With these, a launch or a worker would download or install what is here already.
    assert "FLEX_TEMPLATE_PYTHON_REQUIREMENTS_FILE" not in environment
    assert "FLEX_TEMPLATE_PYTHON_SETUP_FILE" not in environment
    assert environment["RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"] == "1"


def test_it_names_itself(configuration, image):
    assert f"CLAIMS_IMAGE={image}" in configuration["Env"]
    labels = configuration["Labels"]
    [version] = re.findall(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert labels["org.opencontainers.image.version"] == version
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", labels["org.opencontainers.image.revision"])


def test_bases_are_of_one_version():
    bases = dict(re.findall(r"^ARG (\w+_IMAGE)=(.+)", (ROOT / "Dockerfile").read_text(), re.M))
    assert (
        bases["BEAM_IMAGE"].partition("@")[0]
        == f"apache/beam_python3.11_sdk:{locked()['apache-beam']}"
    )
    assert re.match(r"python:3\.11\.\d+-slim-", bases["PYTHON_IMAGE"])
    assert "/python311-template-launcher-base:2" in bases["LAUNCHER_IMAGE"]


def test_packages_are_the_locked_ones(content):
    found = {
        canonicalize_name(name): each["version"] for name, each in content["distributions"].items()
    }
    assert found.pop(OURS)
    assert {name: found[name] for name in found if name not in INSTALLERS} == locked()


def test_packages_fit_together(image):
    container = containers.confined(image, "-m", "pip", "check", entrypoint=PYTHON)
    code, out, err = containers.ended(container)
    assert code == 0, out + err


def compiled(module: str) -> str:
    """Where the compiled form of a module of this path belongs."""
    directory, _, name = module.removesuffix(".py").rpartition("/")
    return f"{directory}/__pycache__/{name}.cpython-311.pyc"


def test_our_package_is_whole(content):
    listed = engine.call("git", "-C", ROOT, "ls-files", "--cached", "--others", "pipeline")
    source = {f"{SITE}/{name}" for name in listed.splitlines() if not name.endswith(".pyc")}
    held = {name for name in content["files"] if name.startswith(f"{SITE}/pipeline/")}
    assert {name for name in held if not name.endswith(".pyc")} == source


def test_all_that_a_worker_imports_is_compiled(content):
    """A worker could not keep what it compiles itself."""
    files, library = content["files"], re.escape(content["standard_library"])
    for place in (f"{SITE}/pipeline/", f"{SITE}/apache_beam/", f"{library}/(asyncio/)?[^/]+$"):
        modules = [name for name in files if re.match(place, name) and name.endswith(".py")]
        assert len(modules) > 50
        assert {compiled(module) for module in modules} <= files.keys()


def test_nothing_else_is_added(added, content):
    """No cache, no test, no key, no source: all is of a package, these three files excepted."""
    library = {name for name in added if name.startswith(content["standard_library"])}
    assert all(name.endswith(".pyc") for name in library - set(content["owned"]))
    loose = added - set(content["owned"]) - library
    assert loose == {"/opt/apache/beam/boot", LAUNCHER, "/template/pipeline/main.py"}


def test_no_command_is_in_it(content):
    """What people run at a shell stays in the checkout, with the packages that it needs."""
    names = {canonicalize_name(name) for name in content["distributions"]}
    assert names.isdisjoint({"click", "rich"})
    foreign = re.compile(rf"{SITE}/(claims_ops|sandbox|workshop)/|.*/bin/claims$")
    assert not list(filter(foreign.match, content["files"]))


def test_there_are_no_build_tools(content):
    assert {name: path for name, path in content["programs"].items() if path} == {}


def test_it_is_small(content, added):
    """What we add to Beam and its dependencies, which any image for Dataflow holds."""
    distributions = {
        canonicalize_name(name): each for name, each in content["distributions"].items()
    }
    of_beam = set(closure(distributions, Requirement("apache-beam[gcp]")))
    assert {"apache-beam", "pyarrow", "grpcio"} <= of_beam
    ours = {name for name in distributions if name not in of_beam | INSTALLERS}
    assert OURS in ours
    loose = sum(content["files"][name] for name in added - set(content["owned"]))
    total = sum(distributions[name]["bytes"] for name in ours) + loose
    assert total < BUDGET_BYTES


def test_dockerfiles_are_clean():
    listed = engine.call("git", "-C", ROOT, "ls-files", "--cached", "--others", "*Dockerfile")
    dockerfiles = [ROOT / name for name in listed.splitlines()]
    assert len(dockerfiles) >= 4
    engine.call(Path(sys.executable).with_name("hadolint"), *dockerfiles)
