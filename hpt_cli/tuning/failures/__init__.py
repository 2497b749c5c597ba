"""What a failure of a training job means, and what follows."""
