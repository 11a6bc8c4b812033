"""What the commands do. Loaded when a command runs, so that help and completion need none of it."""
