"""YAML documents -> validated specs -> workloads, cost models and experiments ready to run."""
