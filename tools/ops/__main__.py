"""Command line of an operator: `python -m tools.ops secrets | backup | restore | sqlite-to-postgres | doctor`."""

import argparse
import sys

from tools.ops import backup, doctor, secrets
from tools.ops.copying import CopyError


def main(arguments: list[str]) -> int:
    """Runs one command."""
    parser = argparse.ArgumentParser(prog="python -m tools.ops", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, add, run, about in (
        ("secrets", secrets.add_arguments, secrets.run, secrets.__doc__),
        ("backup", backup.add_arguments, backup.run, backup.backup.__doc__),
        ("restore", backup.add_restore_arguments, backup.run_restore, backup.restore.__doc__),
        ("sqlite-to-postgres", backup.add_migrate_arguments, backup.run_migrate, backup.run_migrate.__doc__),
        ("doctor", doctor.add_arguments, doctor.run, doctor.__doc__),
    ):
        command = commands.add_parser(name, help=about, description=about)
        add(command)
        command.set_defaults(run=run)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except CopyError as error:
        print(f"majlis: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
