"""What every family of models shares: blocks, discriminators, losses, augmentation, the training loop."""
