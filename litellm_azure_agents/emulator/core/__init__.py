"""What both emulated protocols share: the store, ids, errors, settings, HTTP helpers."""
