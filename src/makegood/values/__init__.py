"""WHAT may be carried: values by declared type, ids, instants, injectables and limits. Pure."""
