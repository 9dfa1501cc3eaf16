"""Who someone is: accounts, sign-in and tokens."""
