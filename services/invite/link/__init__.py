"""What the links of invitations are made from: the secret of their codes, and their picture."""
