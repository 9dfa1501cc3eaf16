"""gRPC as every service serves and calls it: policies from the contract, callers, refusals, pages."""
