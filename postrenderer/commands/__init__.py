"""The commands, one module each; a command is named in `postrenderer.cli.COMMANDS`."""
