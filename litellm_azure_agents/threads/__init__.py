"""The classic protocol: threads, messages and runs (agents named ``asst_…``)."""
