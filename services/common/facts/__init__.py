"""What happened, told to others so that nothing is lost: outbox, cursors, readers."""
