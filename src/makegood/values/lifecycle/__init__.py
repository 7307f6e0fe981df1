"""Values of lifecycles that others are given as well."""
