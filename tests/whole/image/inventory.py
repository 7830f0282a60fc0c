"""What an image holds, as JSON: a program of the standard library alone, to be run inside of it."""

import json
import os
import shutil
import stat
import sysconfig
from importlib.metadata import Distribution, distributions

VIRTUAL = {"/proc", "/sys", "/dev", "/tmp"}
PROGRAMS = (
    *("gcc", "g++", "cc", "c++", "clang", "ld", "as", "make", "cmake", "cargo", "go", "git"),
    *("uv", "pytest", "ruff", "mypy", "java", "gcloud", "docker"),
)


def files() -> dict[str, int]:
    """Every file of the image and its size in bytes."""
    found = {}
    for directory, inner, names in os.walk("/"):
        inner[:] = [name for name in inner if os.path.join(directory, name) not in VIRTUAL]
        for name in names:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                found[path] = status.st_size
    return found


def owned(distribution: Distribution) -> set[str]:
    """The files of a distribution, compiled ones too."""
    listed = (distribution.locate_file(file) for file in distribution.files or ())
    return {os.path.realpath(str(path)) for path in listed}


def main() -> None:
    present = files()
    installed = {each: owned(each) & present.keys() for each in distributions()}
    found = {
        "files": present,
        "distributions": {
            each.name: {
                "version": each.version,
                "bytes": sum(present[path] for path in paths),
                "requires": each.requires or [],
            }
            for each, paths in installed.items()
        },
        "owned": sorted(set().union(*installed.values())),
        "standard_library": os.path.realpath(sysconfig.get_path("stdlib")),
        "programs": {name: shutil.which(name) for name in PROGRAMS},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
