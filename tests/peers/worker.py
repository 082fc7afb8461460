"""A sound backend that does the verbs of tests/peers/verbs.py."""

import logging
import os
import sys

sys.path.append(os.path.dirname(__file__))

from verbs import TABLE

from backend.serve import serve

logging.basicConfig(stream=sys.stderr, level=logging.INFO)
serve(TABLE)
