"""`run_tools` and `arun_tools`: chat with an agent whose function calls are executed here."""
