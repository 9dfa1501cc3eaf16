"""Which copy of the directory owns which room, how rooms go from one to another, and who is told."""
