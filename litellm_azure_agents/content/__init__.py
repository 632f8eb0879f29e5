"""What comes in: the messages of a call, their parts, and the files to upload for them."""
