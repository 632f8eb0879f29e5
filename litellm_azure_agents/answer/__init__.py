"""What has been given out of an answer so far: text, citations, files and run steps."""
