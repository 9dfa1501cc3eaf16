"""The native edge: gRPC for standard clients."""
