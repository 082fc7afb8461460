"""The demo: a small harbour made in Blender by code, rendered, painted, learned and styled, end to end."""
