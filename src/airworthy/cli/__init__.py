"""Commands: reads what a person or a script asks for, calls the rooms below, shows what came of it."""
