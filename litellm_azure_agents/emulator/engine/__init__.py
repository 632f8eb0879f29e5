"""What runs and responses share: rounds, tokens, tools, and the code interpreter."""
