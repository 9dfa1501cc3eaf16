"""Media sessions: use cases, handshakes, descriptions, and who looks on."""
