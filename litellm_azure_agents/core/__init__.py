"""What both protocols share. Nothing here does I/O."""
