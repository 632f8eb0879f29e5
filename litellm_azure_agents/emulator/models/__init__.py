"""What answers behind an emulated agent: built-in rules, scripts, or a real model."""
