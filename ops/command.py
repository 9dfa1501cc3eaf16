"""The `majlis` command where the server's code is: the client's commands, and beside them those of an operator.

The client installs without the server and has a `majlis` of its own, which knows nothing of what is added here.
"""

from collections.abc import Callable

import typer

COMMANDS = {
    "backup": ("ops.backup", "Keep a copy of everything that must be kept, while the services run."),
    "restore": ("ops.restore", "Put a backup into new databases."),
    "migrate": ("ops.migrate", "Move from the SQLite files to PostgreSQL."),
    "doctor": ("ops.doctor.command", "Look at a deployment from here, and say what is wrong and what to do."),
    "canary": ("ops.canary.command", "Join, speak and listen on a schedule, and tell what people would feel."),
    "export-person": ("ops.export_person", "Write all that is kept about one person to a file."),
    "secrets": ("ops.secrets", "Make the secrets of a deployment once."),
}
"""Name to the module that has `add_arguments` and `run`, loaded only when it is used, and what it is for."""


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
        from ops.__main__ import main as operate

        raise typer.Exit(operate([name, *context.args]))

    return run


def main() -> None:
    """Runs the command."""
    from majlis_client.cli import app

    add_to(app)
    app(prog_name="majlis")
