"""Networks on the wire of a link of the host: macvlan and ipvlan."""
