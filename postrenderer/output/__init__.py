"""What a person or a program is told: one format a module."""
