"""Real items through the real task, with nothing written; what they cost, and the pool that suits them."""
