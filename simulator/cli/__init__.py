"""The command line: parse, call, print. The only place that prints, and the only one that exits."""
