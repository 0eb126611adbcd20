"""The operator's command line: ``python -m jobqueue``, or ``jobqueue``."""

import sys

from jobqueue.admin.cli import main

if __name__ == "__main__":
    sys.exit(main())
