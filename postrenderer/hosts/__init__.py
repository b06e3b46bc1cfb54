"""Who calls the program, and in which contract: one module each."""
