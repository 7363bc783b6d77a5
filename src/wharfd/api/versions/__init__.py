"""What differs between API versions 1.24 and 1.55, and nothing else.

`version` parses and orders, `behaviour` names what the engine or a handler does differently, `changes` reshapes documents.  The rest of
the engine knows one shape, the newest, and never a number.
"""
