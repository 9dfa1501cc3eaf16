"""What an operator does beside running it: secrets, backups, moves between databases, and finding out what is wrong."""
