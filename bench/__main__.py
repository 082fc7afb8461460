"""``python -m bench look|effects [--json FILE] [--quick] [...]``: what ``build.py bench`` runs."""

import sys
from collections.abc import Sequence

from . import effects, look


def main(words: Sequence[str]) -> int:
    """Exit code: 0 done, 2 wrong usage."""
    if words and words[0] == "look":
        return look.main(words[1:])
    if words and words[0] == "effects":
        return effects.main(words[1:])
    print(
        "Benchmarks: look, effects. For example: python3 build.py bench look --json out/bench/look.json",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
