"""What holds for all tests."""

import signal

pytest_plugins = ["pytester"]  # the tests' own machinery is tested too

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background lets them ignore Ctrl-C: what they start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
