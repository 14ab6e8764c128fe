"""Who may come in, for how long, and what asks twice (docs/security.md)."""
