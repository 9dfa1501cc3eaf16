"""The use cases of auth: one method for each RPC, grouped by what they are about."""
