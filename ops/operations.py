"""What an operator can do, by the name of its command."""

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
