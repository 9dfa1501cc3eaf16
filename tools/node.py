"""Runs a command in web/ with the Node that bootstrap found."""

import os
import subprocess
import sys

from tools import toolchains
from tools.bootstrap import WEB

if __name__ == "__main__":
    raise SystemExit(
        subprocess.run(sys.argv[1:], check=False, cwd=WEB, env=toolchains.with_node(dict(os.environ))).returncode
    )
