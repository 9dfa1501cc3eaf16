"""The services. What is said here is said before any library is loaded."""

import os

# The C core of gRPC writes lines of its own to standard error, one for each stranger who knocks without a certificate.
# It reads this once, when it is loaded. What matters of it reaches the log as the status of a call.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
