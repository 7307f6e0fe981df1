"""What can happen to a run, fact by fact: a module for each thing that facts are about."""
