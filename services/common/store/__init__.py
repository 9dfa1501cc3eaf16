"""Databases: transactions, migrations, retention, the audit."""
