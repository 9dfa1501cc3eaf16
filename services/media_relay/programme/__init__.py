"""The channels of each room, and how they leave this relay."""
