"""What this machine has: cores, memory, GPUs, and who uses them."""
