"""Runs the command with its clock turned by hand: `python at_time.py 2027-01-01T00:00:00Z WORD...`."""

import sys
from datetime import datetime

from mmpm.cli.app import run

sys.exit(run(sys.argv[2:], now=datetime.fromisoformat(sys.argv[1])))
