"""The `majlis` command where the server's code is: the client's commands, and beside them those of an operator.

The client installs without the server and has a `majlis` of its own, which knows nothing of what is added here.
"""

from collections.abc import Callable

import typer

from ops.operations import COMMANDS


def add_to(app: typer.Typer) -> None:
    """Adds the operator's commands to the client's."""
    for name, (_, about) in COMMANDS.items():
        # The options, --help too, are read by the command itself.
        settings = {"ignore_unknown_options": True, "allow_extra_args": True}
        adding = app.command(
            name, help=about, rich_help_panel="Operators", add_help_option=False, context_settings=settings
        )
        adding(_passing(name))


def _passing(name: str) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        # With the database's library, which a person's own commands need not wait for.
        from ops.__main__ import main as operate

        raise typer.Exit(operate([name, *context.args]))

    return run


def main() -> None:
    """Runs the command."""
    from majlis_client.cli import app

    add_to(app)
    app(prog_name="majlis")
