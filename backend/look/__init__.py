"""Looks: a painted frame or two in, the whole shot in that style out."""
