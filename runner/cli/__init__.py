"""The command line: one file per command; exceptions become exit codes in `main` alone."""
