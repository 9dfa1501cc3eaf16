"""What every service shares of a room's programme: names of channels, wishes for them, frames."""
