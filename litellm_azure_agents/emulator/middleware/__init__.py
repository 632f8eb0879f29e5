"""What every request passes: tokens and limits, the request log, faults on demand."""
