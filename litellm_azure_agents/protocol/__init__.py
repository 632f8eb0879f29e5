"""What the two protocol folders, `threads` and `responses`, share: machines and turns."""
