"""What only measuring needs: known-answer shots and styles, baselines, and the driver behind ``build.py bench``."""
