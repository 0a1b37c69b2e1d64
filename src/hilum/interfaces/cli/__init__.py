"""The command line: arguments in, text or JSON on stdout and an exit code out."""
