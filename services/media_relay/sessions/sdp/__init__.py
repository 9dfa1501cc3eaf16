"""Session descriptions as text: offers read, answers written, fragments both ways; no library, no I/O."""
