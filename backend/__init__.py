"""Paintover's backend: shots in, styled frames out. Knows nothing of Blender's Python."""

VERSION = "0.1.0"
