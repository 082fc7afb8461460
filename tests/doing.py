"""The backend's verbs, as its callers ask for them: everything travels as JSON."""

import json
from typing import Any

from backend.job import Job
from backend.service import VERBS, call


def do(verb: str, job: Job | None = None, **params: Any) -> dict[str, Any]:
    return call(VERBS, verb, json.loads(json.dumps(params, default=str)), job or Job())
