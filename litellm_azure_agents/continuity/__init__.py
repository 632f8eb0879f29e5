"""How a call finds the thread, run or response that its history belongs to."""
