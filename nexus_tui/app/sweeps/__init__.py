"""The list of sweeps, and one sweep as a heat map."""
