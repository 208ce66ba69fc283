"""What a cluster knows of its nodes: for each question that comes in as a line, an answer of JSON goes out as one.

It is started inside the head's network, which the dashboard does not leave.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

PATIENCE = 5
"""Seconds that the dashboard gets to answer."""


def seen(url: str, token: str) -> dict[str, Any]:
    """Nodes by name with their state, and how many living shards each has; no nodes while nobody answers."""
    try:
        nodes, actors = (_listed(f"{url}/api/v0/{kind}?limit=10000", token) for kind in ("nodes", "actors"))
    except OSError:
        return {"nodes": {}, "shards": {}}
    names = {each["node_id"]: each["node_name"] for each in nodes}
    living = [each for each in actors if each["class_name"] == "ShardActor" and each["state"] == "ALIVE"]
    shards = Counter(names.get(each["node_id"]) for each in living)
    return {"nodes": {each["node_name"]: each["state"] for each in nodes}, "shards": shards}


def _listed(url: str, token: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        listed: list[dict[str, Any]] = json.load(answer)["data"]["result"]["result"]
    return listed


def without_token(url: str) -> dict[str, int]:
    """The HTTP status that whoever has no token gets."""
    try:
        with urllib.request.urlopen(f"{url}/api/jobs/", timeout=PATIENCE) as answer:
            return {"status": answer.status}
    except urllib.error.HTTPError as error:
        return {"status": error.code}


def main() -> None:
    """Answer `nodes` and `without token` about the dashboard at the URL given, until no more questions come."""
    url, token = sys.argv[1], Path(os.environ["RAY_AUTH_TOKEN_PATH"]).read_text(encoding="ascii")
    for question in sys.stdin:
        answer = seen(url, token) if question.strip() == "nodes" else without_token(url)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
