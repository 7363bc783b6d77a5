"""Health checks of running containers: their probes, and when they run."""
