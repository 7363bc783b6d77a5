"""Network drivers: `sandbox` makes network namespaces; `bridge`, `host` and `null` are kinds of networks."""
