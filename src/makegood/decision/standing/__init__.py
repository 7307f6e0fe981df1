"""Where the nodes of a run can stand."""
