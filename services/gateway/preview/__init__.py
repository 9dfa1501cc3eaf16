"""What a link shows before anybody opens it."""
