"""The use cases of invite: one method for each RPC, grouped by what they are about."""
