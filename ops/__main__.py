"""Command line of an operator: `majlis backup`, `majlis doctor` and the others, without those of the client."""

import argparse
import importlib
import os
import sys

from ops.errors import OperatorError
from ops.operations import COMMANDS
from services.common.trust.private import UMASK


def main(arguments: list[str]) -> int:
    """Runs one command; what cannot be done is one line on standard error and exit code 1.

    What it writes holds secrets or personal data: nobody but its owner reads it.
    """
    parser = argparse.ArgumentParser(prog="majlis")
    commands = parser.add_subparsers(required=True, metavar="command")
    chosen = arguments[0] if arguments else ""
    for name, (module_name, about) in COMMANDS.items():
        command = commands.add_parser(name, help=about, description=about)
        if name == chosen:
            module = importlib.import_module(module_name)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    os.umask(UMASK)
    try:
        return int(options.run(options))
    except OperatorError as error:
        print(f"majlis: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
