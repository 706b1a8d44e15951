"""Ask OSV (osv.dev) whether what GrimBots runs on has known vulnerabilities: `make audit`.

One question for all packages that the server needs, in the versions installed here; what only tests need is left out.
Exit code 1: there are some, each on a line. 0: there are none, or nobody could be asked, which is said: a network that
is away says nothing about the packages.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.request
from importlib.metadata import PackageNotFoundError, distribution

URL = os.environ.get("OSV_URL", "https://api.osv.dev/v1/querybatch")
SECONDS = 20
NAME = re.compile(r"[A-Za-z0-9._-]+")


def list_packages(root: str) -> dict[str, str]:
    """Give the versions of all that `root` needs, and that needs, whatever markers say, if it is installed."""
    found: dict[str, str] = {}
    todo = [root]
    while todo:
        name = todo.pop()
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = package.version
        wanted = [NAME.match(text) for text in package.requires or () if "extra ==" not in text]
        todo += [match[0].lower() for match in wanted if match and match[0].lower() not in found]
    return {name: version for name, version in sorted(found.items()) if name != root}


def ask(packages: dict[str, str]) -> dict[str, list[str]]:
    """Give the vulnerabilities of each package that has any.

    Raises:
        OSError: nobody answers, or not as documented (google.github.io/osv.dev/post-v1-querybatch).
    """
    questions = [
        {"package": {"ecosystem": "PyPI", "name": name}, "version": version} for name, version in packages.items()
    ]
    body = json.dumps({"queries": questions}).encode()
    request = urllib.request.Request(URL, body, {"Content-Type": "application/json"})  # noqa: S310 (ours)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        try:
            results = json.load(answer)["results"]
            ids = [[found["id"] for found in result.get("vulns", ())] for result in results]
            return {name: said for name, said in zip(packages, ids, strict=True) if said}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OSError("the answer is none of OSV's") from error


def main() -> int:
    """Ask, and tell."""
    packages = list_packages("grimbots")
    if not packages:
        print("audit: NOT DONE: grimbots is not installed here", file=sys.stderr)
        return 1
    try:
        found = ask(packages)
    except OSError as error:
        print(f"audit: NOT DONE, {len(packages)} packages are not looked at: {URL} cannot be asked ({error})")
        return 0
    for name, ids in found.items():
        print(f"audit: {name} {packages[name]} has {', '.join(ids)}: see https://osv.dev/vulnerability/{ids[0]}")
    print(f"audit: {len(found)} of {len(packages)} packages have known vulnerabilities")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
