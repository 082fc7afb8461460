"""Fire, smoke, explosions and water in a scene: their settings, their cards, their layers in the compositor."""
