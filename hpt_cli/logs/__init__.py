"""The log files of training jobs: followed as they grow, and read in parts."""
