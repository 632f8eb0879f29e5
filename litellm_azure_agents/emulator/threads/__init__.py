"""The protocol of classic agents: threads, messages, runs, assistants."""
