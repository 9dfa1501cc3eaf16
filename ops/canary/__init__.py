"""The canary: somebody who, on a schedule, joins a room, speaks and listens, and tells what people would feel."""
