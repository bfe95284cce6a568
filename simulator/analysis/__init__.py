"""What results say about one another and about prices: why one takes longer, where two meet, what totals hang on."""
