"""``python -m bench look [--json FILE] [--quick] [...]``: what ``build.py bench`` runs."""

import sys
from collections.abc import Sequence

from . import look


def main(words: Sequence[str]) -> int:
    """Exit code: 0 done, 2 wrong usage."""
    if words and words[0] == "look":
        return look.main(words[1:])
    print("Benchmarks: look. Say, for example: python3 build.py bench look --json out/bench/look.json", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
