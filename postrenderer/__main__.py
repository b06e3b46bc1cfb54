"""`python -m postrenderer`."""

import sys

from postrenderer.entry import main

sys.exit(main())
