"""Bearer tokens: which credential a call uses, where its tokens come from, and their cache."""
