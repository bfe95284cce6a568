"""What a run will take, before it runs: a sample of each workload is replayed, measured, and scaled."""
