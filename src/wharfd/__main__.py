"""`python -m wharfd`."""

from wharfd.cli.main import main

raise SystemExit(main())
