"""The protocol of new agents: responses, conversations, agent versions, sessions."""
