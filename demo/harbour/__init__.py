"""What the harbour of the demo is made of."""
