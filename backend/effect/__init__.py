"""Effects: fire, smoke, explosion and water. Coarse physics, and a GAN for the detail."""
