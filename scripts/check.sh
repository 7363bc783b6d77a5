#!/bin/sh
# Lint, format, types and import rules.  usage: check.sh DIRECTORY_OF_THE_TOOLS
set -eu
bin=$1
echo "ruff check" && "$bin/ruff" check -q .
echo "ruff format" && "$bin/ruff" format -q --check .
echo "mypy" && "$bin/mypy" --no-error-summary
echo "import rules" && "$bin/lint-imports" --no-cache > /tmp/wharf-imports.$$ || { cat /tmp/wharf-imports.$$; rm -f /tmp/wharf-imports.$$; exit 1; }
rm -f /tmp/wharf-imports.$$
