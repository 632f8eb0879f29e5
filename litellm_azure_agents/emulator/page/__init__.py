"""The page that shows what the emulator holds."""
