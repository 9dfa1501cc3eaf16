"""Who may come in: invitations and the tree of who invited whom."""
