"""What results say about one another: why one takes longer than another, and how several compare."""
