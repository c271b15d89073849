"""What `nexus doctor` checks, and its proof of being offline."""
