"""What happens in rooms: rooms, roles, hands, moderation, and which relay serves whom."""
