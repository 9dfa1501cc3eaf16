"""One use case for both edges: admit a call and forward it to its owner."""
