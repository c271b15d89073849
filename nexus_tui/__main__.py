"""`python -m nexus_tui` is `nexus`."""

import sys

from nexus_tui.cli.main import main

sys.exit(main())
